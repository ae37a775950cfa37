"""A judge ready to work: spec, rubric and model brought together, with the id that its judgements
carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scenarios.rubrics import load_rubric, scenario_rubric
from simworld.core.episode import Episode
from simworld.core.judgement import Rubric
from simworld.core.requests import ModelInfo
from simworld.core.scenario import Scenario
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprob_judging import Judging, judge_answers, judge_statements
from simworld.judging.reply_judging import judge_server
from simworld.judging.swapped_dialogue import Swap, swapped
from simworld.judging.transcript import judge_transcript


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

    def judging(
        self,
        scenario: Scenario,
        episode: Episode,
        *,
        sample: int = 0,
        seats: Sequence[str] | None = None,
        thread: str = "",
    ) -> Judging:
        """A generator of requests that returns a verdict per seat and dimension, or the failure;
        `seats` None means all.
        """
        if self.swap is not None:
            scenario, episode = swapped(self.swap, scenario, episode)
        reading = judge_transcript(scenario, episode)
        wanted = tuple(seat.name for seat in scenario.seats) if seats is None else tuple(seats)
        match self.spec.method:
            case "statements":
                return judge_statements(reading, self.rubric, self.spec, wanted, thread)
            case "answers":
                return judge_answers(reading, self.rubric, self.spec, wanted, thread)
            case "server":
                return judge_server(reading, self.rubric, self.spec, wanted, thread, sample)

    def record(self) -> dict[str, Any]:
        """The judge as plain JSON data, resolved: spec, model and rubric."""
        swap = {"swap": self.swap, "of": self.spec.id(self.info, self.rubric)} if self.swap else {}
        return {
            "spec": self.spec.content() | swap,
            "model": {"spec": self.info.spec, "id": self.info.id, "dtype": self.info.dtype},
            "rubric": {
                "id": self.rubric.id,
                "name": self.rubric.name,
                "dimensions": [asdict(d) for d in self.rubric.dimensions],
            },
        }


def dimension_names(spec: JudgeSpec, scenarios: Iterable[Scenario]) -> tuple[str, ...]:
    """What the judge will score in these scenarios, `rubric/dimension` where they bring several
    rubrics.

    Raises:
        InputError: a rubric cannot be read.
    """
    found = (
        [load_rubric(spec.rubric)]
        if spec.rubric
        else [scenario_rubric(scenario) for scenario in scenarios]
    )
    rubrics = {rubric.id: rubric for rubric in found}.values()
    names = [
        f"{r.name}/{d.name}" if len(rubrics) > 1 else d.name for r in rubrics for d in r.dimensions
    ]
    return tuple(dict.fromkeys(names))


def make_judge(
    spec: JudgeSpec, info: ModelInfo, rubric: Rubric | str, *, swap: Swap | None = None
) -> Judge:
    """The judge of a spec on a loaded model, for a rubric or the name of one; with `swap` it reads
    every dialogue so.

    Raises:
        InputError: an unknown rubric.
    """
    found = load_rubric(rubric) if isinstance(rubric, str) else rubric
    plain = spec.id(info, found)
    id_ = plain if swap is None else plain.replace("@", f"~{swap}@", 1)
    return Judge(id=id_, spec=spec, rubric=found, info=info, swap=swap)
