"""What arms are compared by: a judge, something measured on utterances, or both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from simworld.analysis.arms import OVERALL
from simworld.core.protocols import Backend
from simworld.judging.rubrics import load_rubric
from simworld.judging.run import DEFAULT_RUBRIC
from simworld.judging.spec import JudgeSpec
from simworld.runner.models import Crew
from simworld.training.query import RewardSettings
from simworld.workflows.arms import ArmsPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """The measures of an evaluation: a judge's dimensions, a number measured on the utterances, or both."""

    judge: JudgeSpec | None = None
    reward: RewardSettings | None = None  # lexical or embedding

    @property
    def main(self) -> str:
        """The measure that decides: `overall` of the judge, else what is measured."""
        return OVERALL if self.judge is not None or self.reward is None else self.reward.measure

    def measures(self, plan: ArmsPlan) -> tuple[str, ...]:
        """The names of everything that will be compared. Raises InputError for a rubric that cannot be read."""
        found: list[str] = []
        if self.judge is not None:
            used = [self.judge.rubric] if self.judge.rubric else [s.rubric or DEFAULT_RUBRIC for s in plan.scenarios]
            rubrics = [load_rubric(name) for name in dict.fromkeys(used)]
            several = len({rubric.id for rubric in rubrics}) > 1
            found = [OVERALL, *(f"{r.name}/{d.name}" if several else d.name for r in rubrics for d in r.dimensions)]
        return (*found, self.reward.measure) if self.reward is not None else tuple(found)


@contextmanager
def judge_backend(spec: JudgeSpec, crew: Crew, *, threads: int | None = None) -> Iterator[Backend]:
    """The judge's model: the crew's where it has it, else loaded for the block. Raises ModelError."""
    from agents.models import load_backend

    if (shared := crew.backends.get(f"{spec.model}#{spec.dtype}")) is not None:
        yield shared
        return
    backend = load_backend(spec.model, dtype=spec.dtype, threads=threads)
    try:
        yield backend
    finally:
        backend.close()
