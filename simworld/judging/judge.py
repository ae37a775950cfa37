"""A judge ready to work: spec, rubric and model, with the id that its judgements carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scenarios.rubrics import load_rubric, scenario_rubric
from simworld.core.episode import Episode
from simworld.core.judgement import Rubric
from simworld.core.protocols import JudgementGenerator
from simworld.core.requests import ModelInfo
from simworld.core.scenario import Scenario
from simworld.judging.judge_methods import JudgeTask, judge_by_method
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.swapped_dialogue import Swap, swap_dialogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """One way of judging: equal ids judge alike."""

    id: str
    spec: JudgeSpec
    rubric: Rubric
    info: ModelInfo
    swap: Swap | None = None  # reads dialogues so; `id` tells it

    @property
    def name(self) -> str:
        """The spec's, with what is swapped."""
        return f"{self.spec.name}~{self.swap}" if self.swap else self.spec.name

    def judge_episode(
        self,
        scenario: Scenario,
        episode: Episode,
        sample: int = 0,
        *,
        seats: Sequence[str] | None = None,
        thread: str = "",
    ) -> JudgementGenerator:
        """A generator of requests that returns a verdict per seat (default all) and dimension."""
        if self.swap is not None:
            scenario, episode = swap_dialogue(self.swap, scenario, episode)
        seat_names = tuple(seat.name for seat in scenario.seats) if seats is None else tuple(seats)
        task = JudgeTask(
            scenario=scenario,
            episode=episode,
            rubric=self.rubric,
            seats=seat_names,
            info=self.info,
            sample=sample,
            thread=thread,
        )
        return judge_by_method(self.spec, task)

    def to_json(self) -> dict[str, Any]:
        """The judge as plain JSON data, resolved: spec, model and rubric."""
        swap_data = (
            {"swap": self.swap, "of": self.spec.id(self.info, self.rubric)} if self.swap else {}
        )
        return {
            "spec": self.spec.content() | swap_data,
            "model": {"spec": self.info.spec, "id": self.info.id, "dtype": self.info.dtype},
            "rubric": {
                "id": self.rubric.id,
                "name": self.rubric.name,
                "dimensions": [asdict(d) for d in self.rubric.dimensions],
            },
        }


def scored_dimension_names(spec: JudgeSpec, scenarios: Iterable[Scenario]) -> tuple[str, ...]:
    """What a judge will score in scenarios, `rubric/dimension` where they bring several rubrics.

    Raises:
        InputError: a rubric cannot be read.
    """
    named_rubrics = (
        [load_rubric(spec.rubric)]
        if spec.rubric
        else [scenario_rubric(scenario) for scenario in scenarios]
    )
    rubrics = {rubric.id: rubric for rubric in named_rubrics}.values()
    names = [
        f"{r.name}/{d.name}" if len(rubrics) > 1 else d.name for r in rubrics for d in r.dimensions
    ]
    return tuple(dict.fromkeys(names))


def make_judge(
    spec: JudgeSpec, info: ModelInfo, rubric: Rubric | str, *, swap: Swap | None = None
) -> Judge:
    """The judge of a spec on a loaded model, for a rubric or its name; `swap`: how it reads.

    Raises:
        InputError: an unknown rubric.
    """
    loaded_rubric = load_rubric(rubric) if isinstance(rubric, str) else rubric
    unswapped_id = spec.id(info, loaded_rubric)
    judge_id = unswapped_id if swap is None else unswapped_id.replace("@", f"~{swap}@", 1)
    return Judge(id=judge_id, spec=spec, rubric=loaded_rubric, info=info, swap=swap)
