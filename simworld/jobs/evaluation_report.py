"""What an evaluation found, for Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simworld.core.counts import counted
from simworld.jobs.comparison_frame import comparison_frame
from simworld.jobs.report import JobReport, failure_summary
from simworld.pipeline.evaluation_result import Evaluation, evaluation_json
from simworld.pipeline.requirements import RequirementOutcome

if TYPE_CHECKING:
    import pandas as pd

    from store import EpisodeSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport(JobReport):
    """What an evaluation found."""

    evaluation: Evaluation = field(repr=False)
    db: str = field(repr=False)  # it may hold a password
    failures: tuple[EpisodeSummary, ...] = field(repr=False)  # last attempts of the run that failed
    cautions: tuple[str, ...]  # what a reader must know of the judge, a line each
    outcomes: tuple[RequirementOutcome, ...]  # whether what was required holds

    @property
    def run(self) -> str:
        """The run's name."""
        return self.evaluation.run

    @property
    def judge_ids(self) -> tuple[str, ...]:
        """The ids that the judge's scores carry, one for each rubric."""
        return self.evaluation.judge_ids

    @property
    def failed(self) -> int:
        """Seats whose episode failed, or that have no value of the main measure."""
        return self.evaluation.failed

    @property
    def holds(self) -> bool:
        """Whether everything holds that was required."""
        return all(outcome.holds for outcome in self.outcomes)

    def frame(self) -> pd.DataFrame:
        """One arm less another: a row for each comparison and measure, the deciding one first.

        Columns: `first`, `second`, `measure`, `difference` (mean over families), `low` and `high`
        (95 % interval), `z`, `p`, `sign_p`, `p_holm`, `pairs`, `cells` and `families`.
        """
        return comparison_frame(evaluation_json(self.evaluation)["comparisons"])

    def summary(self) -> str:
        """The arms with their means, their differences, what failed and what holds."""
        found = self.evaluation
        lines = [f"evaluation {self.run}, by {found.main}"]
        for name, arm in found.arms.items():
            level = found.levels[name].get(found.main)
            mean = "–" if level is None else f"{level.mean:.3g}"
            lines.append(
                f"  {name}: {mean} ({arm.planned - arm.missing} seats, {arm.failed} failed,"
                f" {arm.unscored} unscored)"
            )
        lines += _difference_lines(found)
        lines += failure_summary(self.failures, self.run)
        lines += [
            f"  {'holds' if outcome.holds else 'does not hold'}: {outcome.requirement.text}"
            f" ({outcome.reason})"
            for outcome in self.outcomes
        ]
        notes = dict.fromkeys((*self.cautions, *_difference_notes(found)))
        return "\n".join([*lines, *(f"Note: {note}" for note in notes)])


def _difference_lines(found: Evaluation) -> list[str]:
    """A line for each comparison by the main measure."""
    lines = []
    for comparison in found.comparisons:
        name = f"{comparison.first} less {comparison.second}"
        paired = comparison.by_measure.get(found.main)
        if paired is None:
            lines.append(f"  {name}: no scores of both")
            continue
        sure = ""
        if paired.low is not None and paired.high is not None:
            sure = f" [{paired.low:+.3g}, {paired.high:+.3g}]"
        if paired.p is not None:
            sure += f", p {paired.p:.2g}"
        elif paired.sign_p is not None:
            sure += f", sign-flip p {paired.sign_p:.2g}"
        families = counted(paired.families, "family", "families")
        lines.append(f"  {name}: {paired.mean:+.3g}{sure} ({paired.pairs} pairs, {families})")
    return lines


def _difference_notes(found: Evaluation) -> list[str]:
    """What a reader must know of the comparisons by the main measure."""
    compared = (comparison.by_measure.get(found.main) for comparison in found.comparisons)
    return [note for paired in compared if paired is not None for note in paired.notes]
