"""What a judge scores: its measures, and the scales they are on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simworld.analysis.questions.judge_choice import JudgeChoice
from simworld.analysis.questions.scope import require_known
from simworld.core.measures import OVERALL, SOTOPIA_MEAN, measure_names_by_judge, sotopia_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMeasure:
    """Something that a judge scores, on the scale on which it was asked; values are shares of it,
    but of `sotopia_mean`.
    """

    name: str
    low: float
    high: float

    @property
    def is_share(self) -> bool:
        """Whether values are shares of the range; else they are in the range itself."""
        return self.name != SOTOPIA_MEAN

    def to_range(self, value: float) -> float:
        """A value on the scale on which it was asked."""
        return self.low + (self.high - self.low) * value if self.is_share else value


def judge_measures(judge: JudgeChoice, names: Sequence[str] = ()) -> list[JudgeMeasure]:
    """The measures of these names, or all, `overall` first; raises InputError for one that the
    judge does not give.
    """
    by_name: dict[str, JudgeMeasure] = {}
    for id_, columns in measure_names_by_judge(judge.rubrics).items():
        rubric = judge.rubrics[id_]
        scales = [(0.0, 1.0)] + [sotopia_scale(rubric)] * (SOTOPIA_MEAN in columns)
        scales += [(float(d["low"]), float(d["high"])) for d in rubric["dimensions"]]
        for name, (low, high) in zip(columns, scales, strict=True):
            by_name.setdefault(name, JudgeMeasure(name=name, low=low, high=high))
    first = [by_name[name] for name in (OVERALL, SOTOPIA_MEAN) if name in by_name]
    ordered = {measure.name: measure for measure in (*first, *by_name.values())}
    wanted = [names] if isinstance(names, str) else list(names) or list(ordered)
    return [
        ordered[require_known(name, list(ordered), f"measure of judge {judge.name!r},")]
        for name in wanted
    ]
