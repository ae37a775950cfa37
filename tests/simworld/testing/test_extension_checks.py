"""The checks for authors of extensions: passed by all of our own, and each broken promise found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ConfigDict

from agents.agent_kinds import AGENT_KINDS, AgentKind
from agents.kind_specs import ScriptedSpec
from agents.steering.exploration_kinds import EXPLORATIONS, ExplorationKind
from agents.steering.steering_spec import ExploreSpec
from simworld.core.errors import Failure
from simworld.core.judgement import Verdict
from simworld.core.requests import Completion, Generate, Request
from simworld.extensions import NoSettings
from simworld.judging.judge_methods import JUDGE_METHODS, JudgeMethod
from simworld.judging.judge_spec import JudgeSpec
from simworld.results.seat_measures import SEAT_MEASURES, MeasureKind
from simworld.testing import (
    NotConforming,
    check_agent_kind,
    check_exploration,
    check_judge,
    check_learner,
    check_measure,
    check_reward,
)
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.data.reward_kinds import REWARD_KINDS, RewardKind
from simworld.training.rl.bc import BC, BCSettings
from simworld.training.rl.planner_learners import PLANNER_LEARNERS, LearnerKind

MODEL = "builtin:smollm2-135m-instruct"


class Loose(BaseModel):
    a: int = 1


def test_our_agents() -> None:
    kind = AGENT_KINDS.builtin["scripted"]
    check_agent_kind(kind, ScriptedSpec(name="s", kind="scripted", lines=("Hello.", "[nods]")))


def test_an_agent_with_an_id_of_its_own_is_found() -> None:
    class Own:
        id, model = "own", ""

    with pytest.raises(NotConforming, match="its id and model must be those of its parts"):
        check_agent_kind(AgentKind(settings=NoSettings, make=lambda s, p: Own()))  # type: ignore[arg-type, return-value]


def in_words(request: Request) -> str | Completion:
    """As a server's judge replies: for each person a score in the middle of the range."""
    assert isinstance(request, Generate)
    schema = request.json_schema or {}
    return _example_json(schema)


def _example_json(schema: Any) -> str:
    import json

    def example(part: Any) -> Any:
        if "$ref" in part:
            return example(schema["$defs"][part["$ref"].rsplit("/", 1)[1]])
        if "enum" in part:
            return part["enum"][0]
        kind = part.get("type")
        if kind == "object":
            return {name: example(each) for name, each in part["properties"].items()}
        if kind in ("integer", "number"):
            return part.get("minimum", 0)
        return "because"

    return json.dumps(example(schema))


def test_our_judges() -> None:
    for method, how in (("statements", {}), ("answers", {}), ("answers", {"answers": "yes-no"})):
        spec = JudgeSpec.model_validate({"name": "j", "model": MODEL, "method": method} | how)
        check_judge(JUDGE_METHODS.builtin[method], spec)
    server = JudgeSpec(name="j", model="openai:x@http://127.0.0.1:1/v1", method="server")
    check_judge(JUDGE_METHODS.builtin["server"], server, answer=in_words)


def middle(task: Any) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(seat=seat, dimension=d.name, score=(d.low + d.high) / 2)
        for seat in task.seats
        for d in task.rubric.dimensions
    )


def test_what_a_judge_does_wrong_is_found() -> None:
    def check(judge: Any, **changes: Any) -> None:
        method = JudgeMethod(settings=NoSettings, judge=judge, asks_model=False)
        check_judge(replace(method, **changes))

    check(lambda s, task: middle(task))
    with pytest.raises(NotConforming, match="expected one verdict for each seat and dimension"):
        check(lambda s, task: middle(task)[:-1])
    with pytest.raises(NotConforming, match="expected a score from 0 to 10"):
        check(lambda s, task: tuple(replace(v, score=11) for v in middle(task)))
    with pytest.raises(NotConforming, match="a played episode gave judge: no: why"):
        check(lambda s, task: Failure(boundary="judge", kind="no", message="why"))
    with pytest.raises(NotConforming, match="takes unknown keys"):
        check(lambda s, task: middle(task), settings=Loose)
    counter = iter(range(1000))
    with pytest.raises(NotConforming, match="gave other verdicts"):
        check(lambda s, task: tuple(replace(v, score=-next(counter) / 1e6) if v.dimension == "harm"
                                    else v for v in middle(task)))  # fmt: skip

    def asks(settings: Any, task: Any) -> Any:
        spec = JudgeSpec(name="j", model=MODEL, method="statements")
        return JUDGE_METHODS.builtin["statements"].judge(spec, task)

    with pytest.raises(NotConforming, match="it asks a model, but says `asks_model=False`"):
        check(asks)
    check(asks, asks_model=True)


def test_our_rewards() -> None:
    check_reward(
        REWARD_KINDS.builtin["lexical"], RewardSettings(measure="lexical", pattern="price")
    )
    rules: Any = [
        {"measure": "lexical", "pattern": "price", "mean": 0, "deviation": 1},
        {"measure": "lexical", "pattern": "a", "mean": 0, "deviation": 2, "weight": -1},
    ]
    by_rules = REWARD_KINDS.builtin["rules"]
    settings = RewardSettings.model_validate({"rules": rules})
    first_column = replace(
        by_rules,
        make=lambda s: lambda turns: np.asarray(by_rules.make(s)(turns))[:, 0],  # type: ignore[misc]
    )
    check_reward(first_column, settings)


def test_what_a_reward_does_wrong_is_found() -> None:
    def check(measure: Any) -> None:
        check_reward(RewardKind(settings=NoSettings, make=lambda s: measure))

    check(lambda turns: [len(turn.text) for turn in turns])
    with pytest.raises(NotConforming, match="gave numbers of the shape"):
        check(lambda turns: [1.0])
    with pytest.raises(NotConforming, match="every number must be finite"):
        check(lambda turns: [float("inf") for _ in turns])
    with pytest.raises(NotConforming, match="another number when it was measured alone"):
        check(lambda turns: [float(len(turns)) for _ in turns])
    draws = iter(range(100_000))
    with pytest.raises(NotConforming, match="the same acts gave other numbers"):
        check(lambda turns: [float(next(draws)) for _ in turns])


@pytest.mark.parametrize("name", ["td3bc", "rebrac", "iql", "awac", "bc"])
def test_our_learners(name: str) -> None:
    check_learner(PLANNER_LEARNERS.builtin[name])


def test_what_a_learner_does_wrong_is_found() -> None:
    def check(change: type[BC]) -> None:
        kind = LearnerKind(settings=BCSettings, make=lambda s, p: change(p.actor, s))
        check_learner(kind)

    class Idle(BC):
        def update(self, batch: Any) -> Any:
            return {}

    class Forgets(BC):
        def state_dict(self) -> Any:
            return {k: v for k, v in super().state_dict().items() if k.startswith("actor")}

        def load_state_dict(self, state: Any) -> None:
            names = {k.removeprefix("actor."): v for k, v in state.items()}
            self.actor.load_state_dict(names)

    class Draws(BC):
        def update(self, batch: Any) -> Any:
            noise = 1 + torch.rand(())
            return super().update(replace(batch, actions=batch.actions * noise))

    class Logs(BC):
        def update(self, batch: Any) -> Any:
            return {"loss": 3.0} | dict(super().update(batch))

    with pytest.raises(NotConforming, match="the actor is what it was"):
        check(Idle)
    with pytest.raises(NotConforming, match="lacks something that updates depend on"):
        check(Forgets)
    with pytest.raises(NotConforming, match="the same seed and batches gave another actor"):
        check(Draws)
    with pytest.raises(NotConforming, match="`update` must give detached tensors"):
        check(Logs)
    with pytest.raises(NotConforming, match="not trained step by step"):
        check_learner(PLANNER_LEARNERS.builtin["ridge"])


@pytest.mark.parametrize("name", sorted(SEAT_MEASURES.builtin))
def test_our_measures(name: str) -> None:
    check_measure(SEAT_MEASURES.builtin[name])


def test_what_a_measure_does_wrong_is_found() -> None:
    def check(measure: Any) -> None:
        check_measure(MeasureKind(settings=NoSettings, measure=measure))

    with pytest.raises(NotConforming, match="expected a finite number or None, found 'a'"):
        check(lambda s, played: "a")
    draws = iter(range(1000))
    with pytest.raises(NotConforming, match="the same episode gave another number"):
        check(lambda s, played: next(draws))


@pytest.mark.parametrize(
    "spec",
    [ExploreSpec(kind="random"), ExploreSpec(kind="noise", sigma=0.3), ExploreSpec(kind="ways")],
)
def test_our_explorations(spec: ExploreSpec) -> None:
    check_exploration(EXPLORATIONS.builtin[spec.kind], spec)


def test_what_an_exploration_does_wrong_is_found() -> None:
    def check(explore: Any) -> None:
        check_exploration(ExplorationKind(settings=NoSettings, explore=explore))

    with pytest.raises(NotConforming, match="expected an action of 4 finite numbers"):
        check(lambda s, task: np.zeros(3))
    with pytest.raises(NotConforming, match="it tries the same action always"):
        check(lambda s, task: task.planned)
    draws = iter(range(1000))
    with pytest.raises(NotConforming, match="the same random numbers gave another action"):
        check(lambda s, task: np.full(4, float(next(draws))))


def test_settings_that_change_when_they_are_stored_are_found() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(extra="forbid")
        a: set[int] = {1}

        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(NotConforming, match="is another one when it is read back"):
        check_measure(MeasureKind(settings=Odd, measure=lambda s, played: 1.0))
