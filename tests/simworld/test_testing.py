"""The shipped fakes, and that the conformance checks notice what breaks a promise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import Thinking
from simworld.core.requests import (
    Ask,
    ChatPrompt,
    Encode,
    Encoded,
    Finished,
    Generate,
    Generated,
    Message,
    Prefix,
    Request,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.testing import (
    FakeBackend,
    NotConforming,
    check_agent,
    check_backend,
    example_observations,
    example_scenario,
    fake_answer,
    generated,
)
from simworld.testing.fakes import FAKE_WIDTH


def ask(text: str = "Hello", *, seed: int = 0, stop: tuple[str, ...] = (), most: int = 64) -> Generate:
    return Generate(prompt=TextPrompt(text=text), sampling=Sampling(max_new_tokens=most), seed=seed, stop=stop)


def tickets(finished: Sequence[Finished]) -> list[int]:
    return [each.ticket for each in finished]


def test_answers_depend_on_prompt_and_seed_alone() -> None:
    assert fake_answer(ask(seed=1)) == fake_answer(ask(seed=1))
    assert len({str(fake_answer(ask(text, seed=seed))) for text in ("a", "b") for seed in (0, 1)}) == 4


def test_the_fake_can_be_steered() -> None:
    vectors = np.ones((2, FAKE_WIDTH), np.float32)
    steered = [replace(ask(), prefix=Prefix(position="end", embeddings=v)) for v in (vectors, vectors.copy(), -vectors)]
    one, two, three = map(fake_answer, steered)
    assert one == two
    assert len({str(one), str(three), str(fake_answer(ask()))}) == 3


def steering(vectors: Callable[[Observation], Any]) -> Callable[[Observation], Thinking]:
    def act(observation: Observation) -> Thinking:
        encoded = yield Encode(prompt=TextPrompt(text=observation.setting))
        if not isinstance(encoded, Encoded):
            return Failure(boundary="model", kind="state", message="no state")
        request = replace(ask(seed=observation.seed), prefix=Prefix(position="end", embeddings=vectors(observation)))
        reply = yield request
        return line(observation.seat, reply.text) if isinstance(reply, Generated) else line(observation.seat)

    return act


def test_prefixes_are_compared_by_what_is_in_them() -> None:
    fixed = np.ones((1, FAKE_WIDTH), np.float32)
    check_agent(Odd(steering(lambda observation: fixed.copy())))
    drawn = iter(np.random.default_rng(0).standard_normal((99, 1, FAKE_WIDTH)).astype(np.float32))
    with pytest.raises(NotConforming, match="gave another act or request"):
        check_agent(Odd(steering(lambda observation: next(drawn))), answer=same)


def same(request: Request) -> Any:
    return fake_answer(request) if isinstance(request, Encode) else "Fine."


def test_replies_are_cut_at_stop_strings_and_at_the_token_limit() -> None:
    text = "one two three\nBob: four"
    assert generated(text, ask(stop=("\n",))).text == "one two three"
    cut = generated(text, ask(most=2))
    assert (cut.text, cut.new_tokens, cut.finish, cut.prompt_tokens) == ("one two", 2, "length", 1)
    assert generated("", ask()).text == ""


def test_scores_are_log_probabilities_of_each_text() -> None:
    backend = FakeBackend()
    backend.submit(Score(prompt=TextPrompt(text="x"), continuations=(" yes", " no", " yes")))
    (done,) = backend.poll()
    assert isinstance(done.completion, Scored)
    yes, no, again = done.completion.logprobs
    assert -10 <= min(yes, no) <= max(yes, no) < 0
    assert yes == again != no


def test_requests_finish_out_of_order_by_their_delay() -> None:
    backend = FakeBackend(delay=lambda request: request.seed if isinstance(request, Generate) else 0)
    slow, quick, middle = (backend.submit(ask(seed=seed)) for seed in (5, 0, 2))
    assert tickets(backend.poll()) == [quick]
    late = backend.submit(ask(seed=0))
    assert [tickets(backend.poll()) for _ in range(3)] == [[late], [middle], [slow]]
    assert backend.poll() == ()


def test_a_poll_with_a_limit_may_come_back_empty() -> None:
    backend = FakeBackend(delay=lambda request: 2)
    ticket = backend.submit(ask())
    assert [tickets(backend.poll(0.1)) for _ in range(3)] == [[], [], [ticket]]


def test_what_it_answers_can_be_told() -> None:
    failure = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
    backend = FakeBackend(lambda request: failure if request == ask("bad") else "Fine.")
    backend.submit(ask("bad"))
    backend.submit(ask("good"))
    bad, good = backend.poll()
    assert bad.completion == failure
    assert isinstance(good.completion, Generated)
    assert good.completion.text == "Fine."
    assert backend.requests == [ask("bad"), ask("good")]


def test_a_prompt_beyond_its_context_is_too_long() -> None:
    backend = FakeBackend(context=10)
    for words in (6, 7):
        backend.submit(ask("word " * words, most=4))
    fits, too_long = (each.completion for each in backend.poll())
    assert isinstance(fits, Generated)
    assert isinstance(too_long, Failure)
    assert str(too_long) == "model: too-long: 7 words and 4 new ones do not fit into 10"


def test_after_close_nothing_is_taken() -> None:
    backend = FakeBackend()
    backend.submit(ask())
    backend.close()
    assert (backend.open, backend.poll()) == (0, ())
    with pytest.raises(RuntimeError, match="closed"):
        backend.submit(ask())


def test_what_is_no_request_is_refused() -> None:
    with pytest.raises(TypeError, match="not a request: str"):
        FakeBackend().submit("hello")  # type: ignore[arg-type]


def test_the_example_is_a_growing_history() -> None:
    shown = example_observations()
    assert [it.seat for it in shown] == ["host", "guest", "neighbour"] * 2
    assert [len(it.events) for it in shown] == [0, 1, 2, 3, 4, 5]
    assert example_observations() == shown
    assert len(example_observations(example_scenario(turns=3))) == 3


# Backends that break one promise each.


class Stops(FakeBackend):
    """Writes on past stop strings."""

    def _complete(self, ticket: int) -> Any:
        super()._complete(ticket)
        return generated("one.\ntwo")


class Longer(FakeBackend):
    """Never stops."""

    def _complete(self, ticket: int) -> Any:
        super()._complete(ticket)
        return generated("word " * 200)


class Twice(FakeBackend):
    """Hands tickets out twice."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        done = super().poll(wait_s)
        return (*done, *done)


class Lost(FakeBackend):
    """Loses the third ticket."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return tuple(each for each in super().poll(wait_s) if each.ticket != 3)


class Idle(FakeBackend):
    """Does not wait."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return super().poll(0.0)


class SameTicket(FakeBackend):
    """Gives the same ticket to everybody."""

    def submit(self, request: Request) -> int:
        super().submit(request)
        return 1


class Batchwise(FakeBackend):
    """What it says depends on what else it was asked."""

    def _complete(self, ticket: int) -> Any:
        super()._complete(ticket)
        return generated(f"number {len(self.requests)}")


class AllOrNothing(FakeBackend):
    """Fails everything when one request is too long."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        done = super().poll(wait_s)
        failures = [each.completion for each in done if isinstance(each.completion, Failure)]
        return tuple(Finished(ticket=each.ticket, completion=failures[0]) for each in done) if failures else done


class NoWidth(FakeBackend):
    """Says that it has no states and takes no prefixes, and does all the same, or not."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self._unable = refused

    @property
    def info(self) -> Any:
        return replace(super().info, width=None)

    def _complete(self, ticket: int) -> Any:
        done, request = super()._complete(ticket), self.requests[ticket - 1]
        what = "prefix" if isinstance(request, Generate) and request.prefix else type(request).__name__
        return Failure(boundary="model", kind="unsupported", message=what) if what in self._unable else done


class AnyPrefix(FakeBackend):
    """Looks at no prefix."""

    def submit(self, request: Request) -> int:
        return super().submit(replace(request, prefix=None) if isinstance(request, Generate) else request)


def encoding(state: Any) -> FakeBackend:
    """Every prompt has the same state."""
    encoded = Encoded(state=state, prompt_tokens=3, latency_s=0.0)
    return FakeBackend(lambda request: encoded if isinstance(request, Encode) else fake_answer(request))


class Truncates(FakeBackend):
    """Says nothing about what did not fit."""

    @property
    def info(self) -> Any:
        return FakeBackend(context=600).info


def test_the_fake_keeps_the_promises() -> None:
    made: list[FakeBackend] = []

    def make(**settings: Any) -> Callable[[], FakeBackend]:
        return lambda: made.append(FakeBackend(**settings)) or made[-1]  # type: ignore[func-returns-value]

    check_backend(make())
    check_backend(make(context=600))
    check_backend(make(delay=lambda request: len(str(request)) % 7))
    no_scores = Failure(boundary="model", kind="unsupported", message="no scores here")
    answer = {"answer": lambda request: no_scores if isinstance(request, Score) else fake_answer(request)}
    check_backend(make(**answer), scores=False)
    check_backend(lambda: NoWidth("Encode", "prefix"))
    assert len(made) == 4
    assert all(backend.closed for backend in made)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (Stops, "a stop string stands in the text"),
        (Longer, "200 tokens, 4 allowed"),
        (Twice, "came back twice"),
        (Lost, r"tickets \[3\] never came back"),
        (SameTicket, "tickets must differ"),
        (Batchwise, "gave another text when it ran alone"),
        (
            lambda: FakeBackend(delay=lambda request: 2).__class__(lambda request: "x" * 3 + "."),
            "stop string|Score gave",
        ),
        (lambda: AllOrNothing(context=600), "a good request beside a bad one gave"),
        (Truncates, "must give a Failure of kind 'too-long'"),
        (lambda: Idle(delay=lambda request: 3), "came back empty while tickets were open"),
        (
            lambda: FakeBackend(lambda r: Failure(boundary="model", kind="x", message="y")),
            "a plain Generate gave model: x: y",
        ),
        (lambda: FakeBackend(lambda r: "Fine"), "a Score gave"),
        (lambda: NoWidth("prefix"), "an Encode must be answered with a Failure"),
        (lambda: NoWidth("Encode"), "a prefix must be answered with a Failure"),
        (AnyPrefix, r"a prefix \(2, 9\) must give a Failure"),
        (lambda: encoding(np.zeros(7, np.float32)), r"a state must be \(8,\) float32"),
        (lambda: encoding(np.full(8, np.nan, np.float32)), "a state must be finite"),
    ],
)
def test_a_backend_that_breaks_a_promise_is_noticed(
    backend: Callable[[], FakeBackend], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.testing.backends._MAX_POLLS", 50)
    with pytest.raises(NotConforming, match=message):
        check_backend(backend)


# Agents that break one promise each.


def line(seat: str, text: str = "Hello.", *, to: tuple[str, ...] = ()) -> Act:
    return Act(seat=seat, action=Action(kind=ActionKind.speak, text=text, to=to))


class Odd:
    """An agent whose `act` is given."""

    def __init__(self, act: Callable[..., Any], *, model: str = "fake:model", agent_id: str = "odd") -> None:
        self.id = agent_id
        self.model = model
        self._act = act

    def act(self, observation: Observation) -> Thinking:
        thinking: Thinking = self._act(observation)
        return thinking


def fine(observation: Observation) -> Thinking:
    answer = yield Ask(observation=observation)
    return answer if isinstance(answer, Failure) else line(observation.seat)


def stateful() -> Callable[[Observation], Thinking]:
    count = [0]

    def act(observation: Observation) -> Thinking:
        count[0] += 1
        yield Ask(observation=observation)
        return line(observation.seat, f"Hello number {count[0]}.")

    return act


def between_requests() -> Callable[[Observation], Thinking]:
    current: list[str] = []

    def act(observation: Observation) -> Thinking:
        current[:] = [observation.seat]
        yield Ask(observation=observation)
        return line(observation.seat, f"I am {current[0]}.")

    return act


def returns(make: Callable[[Observation], Any]) -> Callable[[Observation], Thinking]:
    def act(observation: Observation) -> Thinking:
        yield Ask(observation=observation)
        reply: Act = make(observation)
        return reply

    return act


def yields(request: Any) -> Callable[[Observation], Thinking]:
    def act(observation: Observation) -> Thinking:
        while True:
            yield request

    return act


def test_an_agent_that_keeps_the_promises_passes() -> None:
    check_agent(Odd(fine))


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
        (Odd(yields(ask())), "more than 200 requests"),
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
