"""The check of an agent notices what breaks a promise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator
from simworld.core.requests import (
    AskPerson,
    ChatPrompt,
    Encode,
    Encoded,
    Generate,
    Generated,
    Message,
    Prefix,
    Request,
    Sampling,
    TextPrompt,
)
from simworld.testing import (
    NotConforming,
    check_agent,
    fake_answer,
)
from simworld.testing.fakes import FAKE_WIDTH
from tests.factories.lm_requests import generate_request


def line(seat: str, text: str = "Hello.", *, to: tuple[str, ...] = ()) -> Act:
    return Act(seat=seat, action=Action(kind=ActionKind.speak, text=text, to=to))


class Odd:
    """An agent whose `act` is given."""

    def __init__(
        self, act: Callable[..., Any], *, model: str = "fake:model", agent_id: str = "odd"
    ) -> None:
        self.id = agent_id
        self.model = model
        self._act = act

    def act(self, observation: Observation) -> ActGenerator:
        thinking: ActGenerator = self._act(observation)
        return thinking


def fine(observation: Observation) -> ActGenerator:
    answer = yield AskPerson(observation=observation)
    return answer if isinstance(answer, Failure) else line(observation.seat)


def stateful() -> Callable[[Observation], ActGenerator]:
    count = [0]

    def act(observation: Observation) -> ActGenerator:
        count[0] += 1
        yield AskPerson(observation=observation)
        return line(observation.seat, f"Hello number {count[0]}.")

    return act


def between_requests() -> Callable[[Observation], ActGenerator]:
    current: list[str] = []

    def act(observation: Observation) -> ActGenerator:
        current[:] = [observation.seat]
        yield AskPerson(observation=observation)
        return line(observation.seat, f"I am {current[0]}.")

    return act


def returns(make: Callable[[Observation], Any]) -> Callable[[Observation], ActGenerator]:
    def act(observation: Observation) -> ActGenerator:
        yield AskPerson(observation=observation)
        reply: Act = make(observation)
        return reply

    return act


def yields(request: Any) -> Callable[[Observation], ActGenerator]:
    def act(observation: Observation) -> ActGenerator:
        while True:
            yield request

    return act


def test_an_agent_that_keeps_the_promises_passes() -> None:
    check_agent(Odd(fine))


def steering(vectors: Callable[[Observation], Any]) -> Callable[[Observation], ActGenerator]:
    def act(observation: Observation) -> ActGenerator:
        encoded = yield Encode(prompt=TextPrompt(text=observation.setting))
        if not isinstance(encoded, Encoded):
            return Failure(boundary="model", kind="state", message="no state")
        request = replace(
            generate_request(seed=observation.seed),
            prefix=Prefix(position="end", embeddings=vectors(observation)),
        )
        reply = yield request
        return (
            line(observation.seat, reply.text)
            if isinstance(reply, Generated)
            else line(observation.seat)
        )

    return act


def test_prefixes_are_compared_by_what_is_in_them() -> None:
    fixed = np.ones((1, FAKE_WIDTH), np.float32)
    check_agent(Odd(steering(lambda observation: fixed.copy())))
    drawn = iter(np.random.default_rng(0).standard_normal((99, 1, FAKE_WIDTH)).astype(np.float32))
    with pytest.raises(NotConforming, match="gave another act or request"):
        check_agent(Odd(steering(lambda observation: next(drawn))), answer=same)


def same(request: Request) -> Any:
    return fake_answer(request) if isinstance(request, Encode) else "Fine."


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (Odd(fine, agent_id=""), "`id` must be a text that is not empty"),
        (Odd(fine, model=""), "the agent asks, but its `model` is empty"),
        (Odd(fine, model=3), "`model` must be a text"),  # type: ignore[arg-type]
        (Odd(lambda observation: line(observation.seat)), "`act` must be a generator; it gave Act"),
        (Odd(yields("hello")), "must yield Generate, Score, Encode or Ask; it yielded str"),
        (Odd(yields(Generate(prompt=ChatPrompt(messages=(Message(role="assistant", content="x"),)), sampling=Sampling(), seed=0))),
         "must alternate, user first and user last; they are assistant"),
        (Odd(yields(generate_request())), "more than 200 requests"),
        (Odd(returns(lambda o: None)), "must return an Act or a Failure; it returned NoneType"),
        (Odd(returns(lambda o: line("mayor"))), "the act is of seat 'mayor'; 'host' was due"),
        (Odd(returns(lambda o: line(o.seat, to=("mayor",)))), "addressed to mayor"),
        (Odd(returns(lambda o: line(o.seat, to=(o.seat,)))), "addressed to host"),
        (Odd(returns(lambda o: line(o.seat, " "))), "an act of kind 'speak' needs a text"),
        (Odd(stateful()), "gave another act or request"),
        (Odd(between_requests()), "the agent keeps state"),
    ],
)  # fmt: skip
def test_an_agent_that_breaks_a_promise_is_noticed(agent: Odd, message: str) -> None:
    with pytest.raises(NotConforming, match=message):
        check_agent(agent)
