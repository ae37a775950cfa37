"""A steered agent driven by hand: what it asks, in which order, and what it stores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate, build_prompt
from agents.steering.checkpoint import Checkpoint
from agents.steering.exploration import Exploration
from agents.steering.state_encoders import LMEncoder, TextEncoder
from agents.steering.steering import Policy, Steering
from simworld.core.episode import Act, Observation, PlanStep
from simworld.core.errors import Failure
from simworld.core.protocols import ActResult
from simworld.core.requests import (
    Completion,
    Encode,
    Encoded,
    Generate,
    ModelInfo,
    Position,
    Request,
    Sampling,
)
from simworld.core.seeding import derive_seed
from simworld.testing import check_agent, example_observations, generated
from tests.factories.exploring import exploring

Make = Callable[..., Checkpoint]
TEMPLATE = PromptTemplate(style="script", instructions="{{name}} wants: {{goal}}")
OBSERVATIONS = example_observations()
LAST = OBSERVATIONS[-1]
LEFT = np.float32(1 / 6)
TOO_LONG = Failure(boundary="model", kind="too-long", message="900 tokens, 512 fit")
LOST = Failure(boundary="model", kind="timeout", message="no answer")


def steering(
    checkpoint: Checkpoint, *, position: Position = "end", exploration: Exploration | None = None
) -> Steering:
    policy = Policy(
        checkpoint=checkpoint,
        planner_id=checkpoint.id,
        upmap=checkpoint.upmap,
        position=position,
        exploration=exploration,
    )
    return Steering(encoder=LMEncoder(id="lm-1"), policy=policy)


def make(how: Steering | None, *, agent_id: str = "a1-x", reasks: int = 2) -> LMAgent:
    return LMAgent(
        id=agent_id,
        model="fake:model#auto",
        info=ModelInfo(spec="fake:model", id="hash-1", dtype="float32", context=None, width=3),
        template=TEMPLATE,
        sampling=Sampling(max_new_tokens=9),
        reasks=reasks,
        max_similarity=0.6,
        steering=how,
    )


def encoded(*state: float) -> Encoded:
    return Encoded(
        state=np.array(state, np.float32), prompt_tokens=5, latency_s=0.0, dtype="float32"
    )


def drive(
    agent: LMAgent, answers: Sequence[str | Completion], observation: Observation = LAST
) -> tuple[list[Request], ActResult]:
    """What the agent asked, one answer per request, and what it made of them; every answer must be
    used."""
    thinking = agent.act(observation)
    asked = [next(thinking)]
    for number, answer in enumerate(answers, 1):
        try:
            asked.append(thinking.send(generated(answer) if isinstance(answer, str) else answer))
        except StopIteration as over:
            assert number == len(answers)
            return asked, over.value
    raise AssertionError("the agent still asks")


def step_of(reply: ActResult) -> PlanStep:
    assert isinstance(reply, Act)
    assert reply.plan is not None
    return reply.plan


def prefix_of(request: Request) -> NDArray[np.float32]:
    assert isinstance(request, Generate)
    assert request.prefix is not None
    return request.prefix.embeddings


def test_the_state_is_asked_for_first_and_the_reply_comes_behind_a_prefix(
    make_checkpoint: Make,
) -> None:
    checkpoint = make_checkpoint("actor")
    (state, reply), act = drive(make(steering(checkpoint)), [encoded(1, 2, 3), "Fine."])
    thread = f"{LAST.episode_seed}/a1-x/{LAST.seat}"
    assert state == Encode(prompt=build_prompt(TEMPLATE, LAST), thread=thread)
    assert isinstance(reply, Generate)
    assert reply.prefix is not None
    assert (reply.prompt, reply.thread, reply.seed) == (
        build_prompt(TEMPLATE, LAST),
        thread,
        LAST.seed,
    )
    with torch.no_grad():
        action = checkpoint.choose_actions(torch.tensor([[1, 2, 3, LEFT]]))
        expected = checkpoint.upmap(action)[0]
    assert reply.prefix.position == "end"
    assert reply.prefix.embeddings.dtype == np.float32
    assert np.array_equal(reply.prefix.embeddings, expected.numpy())
    step = step_of(act)
    assert step.state.tolist() == [1, 2, 3, LEFT]  # raw, not standardised
    assert step.action is not None
    assert np.array_equal(step.action, action[0].numpy())
    assert (step.encoder_id, step.planner_id, step.noisy) == ("lm-1", checkpoint.id, False)


@pytest.mark.parametrize("position", ["start", "mid"])
def test_a_prefix_further_up_has_a_thread_for_the_state(
    make_checkpoint: Make, position: Position
) -> None:
    (state, reply), _ = drive(
        make(steering(make_checkpoint("actor"), position=position)), [encoded(1, 2, 3), "Fine."]
    )
    assert isinstance(state, Encode)
    assert isinstance(reply, Generate)
    assert reply.prefix is not None
    assert reply.prefix.position == position
    assert state.thread == f"{reply.thread}/state"


def test_unsteered_agents_ask_for_the_reply_alone() -> None:
    (request,), act = drive(make(None), ["Fine."])
    assert isinstance(request, Generate)
    assert request.prefix is None
    assert isinstance(act, Act)
    assert act.plan is None


def test_states_can_be_recorded_without_a_planner() -> None:
    (state, reply), act = drive(
        make(Steering(encoder=LMEncoder(id="lm-1"))), [encoded(1, 2, 3), "Fine."]
    )
    assert isinstance(state, Encode)
    assert isinstance(reply, Generate)
    assert (reply.prefix, state.thread) == (None, reply.thread)
    step = step_of(act)
    assert step.state.tolist() == [1, 2, 3, LEFT]
    assert (step.action, step.encoder_id, step.planner_id, step.noisy) == (None, "lm-1", "", False)


def test_further_asks_use_the_same_action(make_checkpoint: Make) -> None:
    how = steering(make_checkpoint("actor"), exploration=exploring(sigma=0.5))
    asked, act = drive(make(how), [encoded(1, 2, 3), "...", LAST.events[0].action.text, "Fine."])
    assert [type(request) for request in asked] == [Encode, Generate, Generate, Generate]
    assert np.array_equal(prefix_of(asked[1]), prefix_of(asked[2]))
    assert np.array_equal(prefix_of(asked[1]), prefix_of(asked[3]))
    seeds = [request.seed for request in asked if isinstance(request, Generate)]
    assert seeds == [LAST.seed, derive_seed(LAST.seed, "ask", 1), derive_seed(LAST.seed, "ask", 2)]
    assert isinstance(act, Act)
    assert act.generation is not None
    assert (act.generation.asks, step_of(act).noisy) == (3, True)


def test_a_repeat_that_is_kept_keeps_its_plan(make_checkpoint: Make) -> None:
    said = LAST.events[0].action.text
    _, act = drive(
        make(steering(make_checkpoint("actor")), reasks=1), [encoded(1, 2, 3), said, "..."]
    )
    assert step_of(act).state.tolist() == [1, 2, 3, LEFT]


def test_a_state_that_does_not_fit_drops_the_oldest(make_checkpoint: Make) -> None:
    how = steering(make_checkpoint("actor"))
    asked, act = drive(make(how), [TOO_LONG, encoded(1, 2, 3), "Fine."])
    prompts = [cast(Encode | Generate, request).prompt for request in asked]
    assert prompts == [build_prompt(TEMPLATE, LAST, drop_events=n) for n in (0, 1, 1)]
    assert isinstance(act, Act)
    assert act.generation is not None
    assert (act.generation.dropped_events, act.generation.asks) == (1, 1)


def test_a_reply_that_does_not_fit_has_the_state_of_the_shorter_prompt(
    make_checkpoint: Make,
) -> None:
    how = steering(make_checkpoint("actor"))
    asked, act = drive(make(how), [encoded(1, 2, 3), TOO_LONG, encoded(4, 5, 6), "Fine."])
    assert [type(request) for request in asked] == [Encode, Generate, Encode, Generate]
    prompts = [cast(Encode | Generate, request).prompt for request in asked]
    assert prompts == [build_prompt(TEMPLATE, LAST, drop_events=n) for n in (0, 0, 1, 1)]
    assert step_of(act).state.tolist() == [4, 5, 6, LEFT]


def test_when_no_state_comes_the_act_fails(make_checkpoint: Make) -> None:
    agent = make(steering(make_checkpoint("actor")))
    assert drive(agent, [LOST])[1] == LOST
    assert drive(agent, [TOO_LONG] * 6)[1] == TOO_LONG
    _, reply = drive(agent, ["no state"])
    assert reply == Failure(boundary="model", kind="unexpected", message="the model gave Generated")
    _, reply = drive(agent, [encoded(1, np.nan, 3)])
    assert isinstance(reply, Failure)
    assert (reply.boundary, reply.kind) == ("model", "not-finite")


def test_a_constant_action_and_a_stronger_prefix(make_checkpoint: Make) -> None:
    checkpoint = make_checkpoint("constant")
    asked, act = drive(make(steering(checkpoint)), [encoded(1, 2, 3), "Fine."])
    assert checkpoint.constant is not None
    assert np.array_equal(cast(np.ndarray, step_of(act).action), checkpoint.constant.numpy())
    with torch.no_grad():
        assert np.array_equal(
            prefix_of(asked[1]), checkpoint.upmap(checkpoint.constant[None])[0].numpy()
        )


def test_two_agents_that_explore_alike_try_the_same(make_checkpoint: Make) -> None:
    one, two = (
        make(
            steering(make_checkpoint("", seed=seed), exploration=exploring(sigma=None)),
            agent_id=f"a1-{seed}",
        )
        for seed in (1, 2)
    )
    steps = [
        step_of(drive(agent, [encoded(*state), "Fine."])[1])
        for agent, state in ((one, (1, 2, 3)), (two, (4, 5, 6)))
    ]
    assert np.array_equal(cast(np.ndarray, steps[0].action), cast(np.ndarray, steps[1].action))
    assert steps[0].noisy
    assert np.linalg.norm(cast(np.ndarray, steps[0].action)) == pytest.approx(2**0.5)
    again = step_of(drive(one, [encoded(1, 2, 3), "Fine."], replace(LAST, seed=LAST.seed + 1))[1])
    assert not np.allclose(cast(np.ndarray, again.action), cast(np.ndarray, steps[0].action))


def test_a_text_encoder_asks_the_model_nothing(make_checkpoint: Make) -> None:
    policy = steering(make_checkpoint("actor")).policy
    encoder = TextEncoder(
        id="text-1", embed=lambda head, lines: np.full(3, len(lines), np.float32), size=3
    )
    (reply,), act = drive(make(Steering(encoder=encoder, policy=policy)), ["Fine."])
    assert prefix_of(reply).shape == (2, 3)
    assert step_of(act).state.tolist() == [5, 5, 5, LEFT]


def test_a_steered_agent_keeps_the_agents_promises(make_checkpoint: Make) -> None:
    checkpoint = make_checkpoint("actor", width=8, d_state=9)  # the width of fake states
    for exploration in (None, exploring(sigma=0.3), exploring(sigma=None, per="episode")):
        check_agent(make(steering(checkpoint, exploration=exploration)))
