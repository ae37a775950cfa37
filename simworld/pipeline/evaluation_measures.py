"""What arms are compared by: a judge, something measured on utterances, or both."""

from __future__ import annotations

from dataclasses import dataclass

from simworld.core.measures import OVERALL
from simworld.judging.judge import dimension_names
from simworld.judging.judge_spec import JudgeSpec
from simworld.pipeline.arms_plan import ArmsPlan
from simworld.training.data.dataset_query import RewardSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationMeasures:
    """The measures of an evaluation: a judge's dimensions, a number measured on the utterances, or
    both.
    """

    judge: JudgeSpec | None = None
    reward: RewardSettings | None = None  # lexical or embedding

    @property
    def main(self) -> str:
        """The measure that decides: `overall` of the judge, else what is measured."""
        return OVERALL if self.judge is not None or self.reward is None else self.reward.measure

    def measures(self, plan: ArmsPlan) -> tuple[str, ...]:
        """The names of everything that will be compared. Raises InputError for a rubric that cannot
        be read.
        """
        found: list[str] = []
        if self.judge is not None:
            found = [OVERALL, *dimension_names(self.judge, plan.scenarios)]
        return (*found, self.reward.measure) if self.reward is not None else tuple(found)
