"""The shipped fakes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simworld.core.errors import Failure
from simworld.core.requests import (
    Finished,
    Generate,
    Generated,
    Prefix,
    Score,
    Scored,
    TextPrompt,
)
from simworld.testing import (
    FakeBackend,
    example_observations,
    example_scenario,
    fake_answer,
    generated,
)
from simworld.testing.fakes import FAKE_WIDTH
from tests.factories.lm_requests import generate_request


def tickets(finished: Sequence[Finished]) -> list[int]:
    return [each.ticket for each in finished]


def test_answers_depend_on_prompt_and_seed_alone() -> None:
    assert fake_answer(generate_request(seed=1)) == fake_answer(generate_request(seed=1))
    assert (
        len(
            {
                str(fake_answer(generate_request(text, seed=seed)))
                for text in ("a", "b")
                for seed in (0, 1)
            }
        )
        == 4
    )


def test_the_fake_can_be_steered() -> None:
    vectors = np.ones((2, FAKE_WIDTH), np.float32)
    steered = [
        replace(generate_request(), prefix=Prefix(position="end", embeddings=v))
        for v in (vectors, vectors.copy(), -vectors)
    ]
    one, two, three = map(fake_answer, steered)
    assert one == two
    assert len({str(one), str(three), str(fake_answer(generate_request()))}) == 3


def test_replies_are_cut_at_stop_strings_and_at_the_token_limit() -> None:
    text = "one two three\nBob: four"
    assert generated(text, generate_request(stop=("\n",))).text == "one two three"
    cut = generated(text, generate_request(most=2))
    assert (cut.text, cut.new_tokens, cut.finish, cut.prompt_tokens) == ("one two", 2, "length", 1)
    assert generated("", generate_request()).text == ""


def test_scores_are_log_probabilities_of_each_text() -> None:
    backend = FakeBackend()
    backend.submit(Score(prompt=TextPrompt(text="x"), continuations=(" yes", " no", " yes")))
    (done,) = backend.poll()
    assert isinstance(done.completion, Scored)
    yes, no, again = done.completion.logprobs
    assert -10 <= min(yes, no) <= max(yes, no) < 0
    assert yes == again != no


def test_requests_finish_out_of_order_by_their_delay() -> None:
    backend = FakeBackend(
        delay=lambda request: request.seed if isinstance(request, Generate) else 0
    )
    slow, quick, middle = (backend.submit(generate_request(seed=seed)) for seed in (5, 0, 2))
    assert tickets(backend.poll()) == [quick]
    late = backend.submit(generate_request(seed=0))
    assert [tickets(backend.poll()) for _ in range(3)] == [[late], [middle], [slow]]
    assert backend.poll() == ()


def test_a_poll_with_a_limit_may_come_back_empty() -> None:
    backend = FakeBackend(delay=lambda request: 2)
    ticket = backend.submit(generate_request())
    assert [tickets(backend.poll(0.1)) for _ in range(3)] == [[], [], [ticket]]


def test_what_it_answers_can_be_told() -> None:
    failure = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
    backend = FakeBackend(
        lambda request: failure if request == generate_request("bad") else "Fine."
    )
    backend.submit(generate_request("bad"))
    backend.submit(generate_request("good"))
    bad, good = backend.poll()
    assert bad.completion == failure
    assert isinstance(good.completion, Generated)
    assert good.completion.text == "Fine."
    assert backend.requests == [generate_request("bad"), generate_request("good")]


def test_a_prompt_beyond_its_context_is_too_long() -> None:
    backend = FakeBackend(context=10)
    for words in (6, 7):
        backend.submit(generate_request("word " * words, most=4))
    fits, too_long = (each.completion for each in backend.poll())
    assert isinstance(fits, Generated)
    assert isinstance(too_long, Failure)
    assert str(too_long) == "model: too-long: 7 words and 4 new ones do not fit into 10"


def test_after_close_nothing_is_taken() -> None:
    backend = FakeBackend()
    backend.submit(generate_request())
    backend.close()
    assert (backend.open, backend.poll()) == (0, ())
    with pytest.raises(RuntimeError, match="closed"):
        backend.submit(generate_request())


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
