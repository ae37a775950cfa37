"""When a command stops by itself: a row of what no retry mends, too many failures, a budget."""

from __future__ import annotations

import pytest

from simworld.core.errors import BudgetSpent, Failure, Stopped
from simworld.core.requests import (
    ChatPrompt,
    Generate,
    Generated,
    Message,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.core.stopping import MaxFailures, StopRules, is_final

A, B = "openai:a@http://127.0.0.1:1/v1#auto", "openai:b@http://127.0.0.1:1/v1"
ASK = Generate(
    prompt=ChatPrompt(messages=(Message(role="user", content="x" * 40),)),
    sampling=Sampling(),
    seed=1,
    thread="t",
)
REFUSED = Failure(boundary="model", kind="http-401", message="HTTP 401: who are you")
SLOW = Failure(boundary="model", kind="timeout", message="no answer within 120 s")


def said(prompt: int = 70, new: int = 30, text: str = "Hello.") -> Generated:
    return Generated(text=text, prompt_tokens=prompt, new_tokens=new, finish="stop", latency_s=0.1)


@pytest.mark.parametrize("kind", ["http-401", "http-402", "http-403", "http-404", "quota"])
def test_the_key_the_rights_the_name_and_the_money_are_mended_by_no_retry(kind: str) -> None:
    assert is_final(Failure(boundary="model", kind=kind, message=""))


@pytest.mark.parametrize(
    ("message", "final"),
    [
        ("API key not valid. Please pass a valid API key.", True),
        ("The model `x` does not exist", True),
        ("(model_not_found): x", True),
        ("max_tokens is too large", False),
    ],
)
def test_a_bad_request_may_be_about_the_key_or_the_name(message: str, final: bool) -> None:
    assert is_final(Failure(boundary="model", kind="http-400", message=message)) is final


@pytest.mark.parametrize(
    ("boundary", "kind"),
    [("model", "timeout"), ("model", "http-429"), ("model", "invalid"), ("judge", "http-401")],
)
def test_other_failures_may_pass(boundary: str, kind: str) -> None:
    assert not is_final(Failure(boundary=boundary, kind=kind, message=""))


def test_the_fifth_in_a_row_stops() -> None:
    stopping = StopRules()
    for _ in range(4):
        stopping.answered(A, ASK, REFUSED)
        stopping.check()
    assert stopping.doubtful
    stopping.answered(A, ASK, SLOW)  # neither mends nor adds
    stopping.check()
    stopping.answered(A, ASK, REFUSED)
    with pytest.raises(Stopped) as error:
        stopping.check()
    assert str(error.value).startswith(
        "openai:a@http://127.0.0.1:1/v1: 5 requests in a row failed for good; the last: "
    )
    assert "HTTP 401: who are you" in str(error.value)
    assert error.value.exit_code == 2


def test_a_success_ends_a_row_and_rows_are_of_one_server_and_model() -> None:
    stopping = StopRules()
    for _ in range(4):
        stopping.answered(A, ASK, REFUSED)
        stopping.answered(B, ASK, REFUSED)
    stopping.answered(A, ASK, said())
    for _ in range(4):
        stopping.answered(A, ASK, REFUSED)
    stopping.check()
    stopping.answered(B, ASK, said())
    stopping.answered(A, ASK, said())
    assert not stopping.doubtful


def test_local_models_neither_count_nor_stop() -> None:
    stopping = StopRules(budget_tokens=10)
    for _ in range(9):
        stopping.answered("hf:x#auto", ASK, REFUSED)
        stopping.answered("builtin:x", ASK, said())
        stopping.ended()
    stopping.check()
    assert (stopping.used, stopping.asked) == (0, 0)
    assert stopping.may_begin(0)
    assert stopping.may_begin(31)


@pytest.mark.parametrize(
    ("most", "planned", "stops_at"),
    [
        (MaxFailures(count=0), 10, 1),
        (MaxFailures(count=3), 10, 4),
        (MaxFailures(share=0.1), 50, 6),  # 5 of 50 are allowed
        (MaxFailures(share=0.0), 50, 1),
        (MaxFailures(share=0.1), 5, 1),  # not half a one
    ],
)
def test_more_failures_than_allowed_stop(most: MaxFailures, planned: int, stops_at: int) -> None:
    stopping = StopRules(max_failures=most)
    for failed in range(stops_at):
        stopping.failed(failed, planned, "episodes")
        stopping.check()
    stopping.failed(stops_at, planned, "episodes")
    with pytest.raises(
        Stopped, match=f"{stops_at} of {planned} episodes failed, more than --max-failures allows"
    ):
        stopping.check()


def test_failures_stop_nothing_where_no_number_was_given() -> None:
    stopping = StopRules()
    stopping.failed(1000, 1000, "episodes")
    stopping.check()


def test_tokens_are_those_that_servers_count_and_estimated_where_they_count_none() -> None:
    stopping = StopRules()
    stopping.answered(A, ASK, said(70, 30))
    stopping.answered(
        B, Score(prompt=TextPrompt(text=""), continuations=("a",)), Scored(
            logprobs=(-1.0,), lengths=(1,), prompt_tokens=5, latency_s=0.0
        ),
    )  # fmt: skip
    assert (stopping.prompt_tokens, stopping.new_tokens, stopping.used, stopping.asked) == (
        75,
        30,
        105,
        2,
    )
    stopping.answered(A, ASK, said(0, 0, text="eightch."))  # 40 and 8 characters
    assert (stopping.prompt_tokens, stopping.new_tokens) == (85, 32)


def test_the_first_piece_is_alone_and_shows_what_fits() -> None:
    stopping = StopRules(budget_tokens=1000)
    assert stopping.may_begin(0)
    assert not stopping.may_begin(1)
    stopping.answered(A, ASK, said())  # 100 tokens
    assert not stopping.may_begin(1)
    stopping.ended()
    # 900 are left, and four of 100 need 800 with as much again to spare
    assert stopping.may_begin(3)
    assert not stopping.may_begin(4)
    assert not stopping.short
    for _ in range(8):
        stopping.answered(A, ASK, said())
        stopping.ended()
    assert stopping.may_begin(0)  # exactly the last
    stopping.answered(A, ASK, said())
    stopping.ended()
    stopping.check_budget()
    assert not stopping.may_begin(0)
    with pytest.raises(
        BudgetSpent, match="the budget of 1,000 tokens has no room for more \\(1,000 used\\)"
    ):
        stopping.check_budget()


def test_another_pass_learns_anew_what_a_piece_takes() -> None:
    stopping = StopRules(budget_tokens=1000)
    stopping.answered(A, ASK, said())
    stopping.ended()
    stopping.begin()
    assert not stopping.may_begin(1)
    stopping.answered(A, ASK, said(700, 50))
    stopping.ended()
    assert not stopping.may_begin(0)  # 150 are left, and it takes 750
