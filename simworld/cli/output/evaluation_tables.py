"""Tables of an evaluation for people: the arms, the comparisons, the language, the requirements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from simworld.cli.output.terminal import console, grid, show_notes
from simworld.cli.output.text import harmless, say
from simworld.cli.output.traits import show_traits

if TYPE_CHECKING:
    from simworld.pipeline.evaluation_result import Evaluation
    from simworld.pipeline.requirements import RequirementOutcome
    from simworld.stats.paired_tests import PairedComparison

QUALITY_COLUMNS = {
    "utterances": "utterances",
    "empty_share": "empty",
    "words": "words",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "repeated_share": "repeated",
    "perplexity": "perplexity",
    "perplexity_ratio": "× base",
    "utterance_dispersion": "dispersion",
    "action_dispersion": "of actions",
}


def show_evaluation(evaluation: Evaluation) -> None:
    """Tables for people: the arms, the comparisons, the language."""
    screen = console()
    screen.print(Text("Arms", style="bold"))
    counts = ("seats", "failed", "unscored")
    table = grid("arm", *counts, *evaluation.measures, right=counts)
    for name, arm in evaluation.arms.items():
        failure_shares = (
            f"{arm.failed} ({arm.failed_share:.1%})",
            f"{arm.unscored} ({arm.unscored_share:.1%})",
        )
        levels = (evaluation.levels[name].get(measure) for measure in evaluation.measures)
        table.add_row(
            harmless(name),
            str(arm.planned - arm.missing),
            *failure_shares,
            *(f"{level.mean:.3g}" if level else "–" for level in levels),
        )
    screen.print(table)
    numbers = ("difference", "z", "p", "sign-flip p", "Holm p", "n", "families")
    notes: dict[str, None] = {}
    for comparison in evaluation.comparisons:
        screen.print(
            Text(f"\n{harmless(comparison.first)} less {harmless(comparison.second)}", style="bold")
        )
        table = grid("measure", "difference", "95 % interval", *numbers[1:], right=numbers)
        for measure, paired in comparison.by_measure.items():
            table.add_row(measure, *_comparison_cells(paired))
            notes |= dict.fromkeys(
                paired.notes if paired else ("an arm has no scores of this measure",)
            )
        screen.print(table)
    screen.print(Text("\nLanguage", style="bold"))
    table = grid("arm", *QUALITY_COLUMNS.values(), right=tuple(QUALITY_COLUMNS.values()))
    for name, quality in evaluation.quality.items():
        values = (getattr(quality, field) for field in QUALITY_COLUMNS)
        table.add_row(
            harmless(name),
            *map(_quality_cell, values),
        )
    screen.print(table)
    show_traits({arm: each.to_json() for arm, each in evaluation.traits.items()}, evaluation.base)
    show_notes(tuple(notes))


def _quality_cell(value: object) -> str:
    from simworld.stats.intervals import Estimate

    if isinstance(value, Estimate):
        interval = "" if value.low is None else f" [{value.low:.2f}, {value.high:.2f}]"
        return f"{value.mean:.2f}{interval}"
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _comparison_cells(paired: PairedComparison | None) -> Sequence[str]:
    if paired is None:
        return ("–",) * 8
    interval = "–" if paired.low is None else f"{paired.low:+.3f} … {paired.high:+.3f}"
    ps = ("–" if p is None else f"{p:.3g}" for p in (paired.p, paired.sign_p, paired.p_holm))
    z = "–" if paired.z is None else f"{paired.z:.2f}"
    return (f"{paired.mean:+.3f}", interval, z, *ps, str(paired.pairs), str(paired.families))


def show_requirements(outcomes: Sequence[RequirementOutcome]) -> None:
    """Whether each requirement holds."""
    for outcome in outcomes:
        word = "holds" if outcome.holds else "does not hold"
        say(f"{outcome.requirement.text} {word}: {outcome.reason}")
