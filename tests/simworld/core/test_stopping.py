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
from simworld.core.stopping import MaxFailures, StopTracker, is_final_failure

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
    assert is_final_failure(Failure(boundary="model", kind=kind, message=""))


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
    assert is_final_failure(Failure(boundary="model", kind="http-400", message=message)) is final


@pytest.mark.parametrize(
    ("boundary", "kind"),
    [("model", "timeout"), ("model", "http-429"), ("model", "invalid"), ("judge", "http-401")],
)
def test_other_failures_may_pass(boundary: str, kind: str) -> None:
    assert not is_final_failure(Failure(boundary=boundary, kind=kind, message=""))


def test_the_fifth_in_a_row_stops() -> None:
    stopping = StopTracker()
    for _ in range(4):
        stopping.count_answer(A, ASK, REFUSED)
        stopping.raise_if_stopped()
    assert stopping.in_failure_series
    stopping.count_answer(A, ASK, SLOW)  # neither mends nor adds
    stopping.raise_if_stopped()
    stopping.count_answer(A, ASK, REFUSED)
    with pytest.raises(Stopped) as error:
        stopping.raise_if_stopped()
    assert str(error.value).startswith(
        "openai:a@http://127.0.0.1:1/v1: 5 requests in a row failed for good; the last: "
    )
    assert "HTTP 401: who are you" in str(error.value)
    assert error.value.exit_code == 2


def test_a_success_ends_a_row_and_rows_are_of_one_server_and_model() -> None:
    stopping = StopTracker()
    for _ in range(4):
        stopping.count_answer(A, ASK, REFUSED)
        stopping.count_answer(B, ASK, REFUSED)
    stopping.count_answer(A, ASK, said())
    for _ in range(4):
        stopping.count_answer(A, ASK, REFUSED)
    stopping.raise_if_stopped()
    stopping.count_answer(B, ASK, said())
    stopping.count_answer(A, ASK, said())
    assert not stopping.in_failure_series


def test_local_models_neither_count_nor_stop() -> None:
    stopping = StopTracker(budget_tokens=10)
    for _ in range(9):
        stopping.count_answer("hf:x#auto", ASK, REFUSED)
        stopping.count_answer("builtin:x", ASK, said())
        stopping.count_ended_piece()
    stopping.raise_if_stopped()
    assert (stopping.used_tokens, stopping.answered_requests) == (0, 0)
    assert stopping.has_budget_for_piece(0)
    assert stopping.has_budget_for_piece(31)


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
    stopping = StopTracker(max_failures=most)
    for failed in range(stops_at):
        stopping.note_failures(failed, planned, "episodes")
        stopping.raise_if_stopped()
    stopping.note_failures(stops_at, planned, "episodes")
    with pytest.raises(
        Stopped, match=f"{stops_at} of {planned} episodes failed, more than --max-failures allows"
    ):
        stopping.raise_if_stopped()


def test_failures_stop_nothing_where_no_number_was_given() -> None:
    stopping = StopTracker()
    stopping.note_failures(1000, 1000, "episodes")
    stopping.raise_if_stopped()


def test_tokens_are_those_that_servers_count_and_estimated_where_they_count_none() -> None:
    stopping = StopTracker()
    stopping.count_answer(A, ASK, said(70, 30))
    stopping.count_answer(
        B, Score(prompt=TextPrompt(text=""), continuations=("a",)), Scored(
            logprobs=(-1.0,), lengths=(1,), prompt_tokens=5, latency_s=0.0
        ),
    )  # fmt: skip
    assert (
        stopping.prompt_tokens,
        stopping.new_tokens,
        stopping.used_tokens,
        stopping.answered_requests,
    ) == (
        75,
        30,
        105,
        2,
    )
    stopping.count_answer(A, ASK, said(0, 0, text="eightch."))  # 40 and 8 characters
    assert (stopping.prompt_tokens, stopping.new_tokens) == (85, 32)


def test_the_first_piece_is_alone_and_shows_what_fits() -> None:
    stopping = StopTracker(budget_tokens=1000)
    assert stopping.has_budget_for_piece(0)
    assert not stopping.has_budget_for_piece(1)
    stopping.count_answer(A, ASK, said())  # 100 tokens
    assert not stopping.has_budget_for_piece(1)
    stopping.count_ended_piece()
    # 900 are left, and four of 100 need 800 with as much again to spare
    assert stopping.has_budget_for_piece(3)
    assert not stopping.has_budget_for_piece(4)
    assert not stopping.budget_exhausted
    for _ in range(8):
        stopping.count_answer(A, ASK, said())
        stopping.count_ended_piece()
    assert stopping.has_budget_for_piece(0)  # exactly the last
    stopping.count_answer(A, ASK, said())
    stopping.count_ended_piece()
    stopping.raise_if_budget_spent()
    assert not stopping.has_budget_for_piece(0)
    with pytest.raises(
        BudgetSpent, match="the budget of 1,000 tokens has no room for more \\(1,000 used\\)"
    ):
        stopping.raise_if_budget_spent()


def test_another_pass_learns_anew_what_a_piece_takes() -> None:
    stopping = StopTracker(budget_tokens=1000)
    stopping.count_answer(A, ASK, said())
    stopping.count_ended_piece()
    stopping.begin_pass()
    assert not stopping.has_budget_for_piece(1)
    stopping.count_answer(A, ASK, said(700, 50))
    stopping.count_ended_piece()
    assert not stopping.has_budget_for_piece(0)  # 150 are left, and it takes 750
