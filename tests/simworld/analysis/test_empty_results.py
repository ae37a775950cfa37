"""Why a ready query has no rows, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

import store
from simworld.analysis.empty_results import explain_empty
from simworld.analysis.ready_queries import ready_queries, ready_query
from simworld.core.errors import Failure
from simworld.core.judgement import JudgementStatus
from tests.factories import scored_world
from tests.factories.stored import add, begin, judged, played

UNPLAYED = "nothing was played; `simworld run` plays scenarios"
UNJUDGED = "nothing is judged; `simworld judge run` judges"
# Query → why it is empty where an episode without checks was played and not judged
PLAYED = {
    **dict.fromkeys(
        ["checks", "judging", "paired", "scores", "scores-by-family", "unscored"], UNJUDGED
    ),
    "branches": "no episode is a branch of another; `simworld episode branch` makes one",
    "failures": "nothing failed",
    "planners": "no agent that played was steered by a planner",
    "trainings": "nothing was taught; `simworld train` teaches planners",
    "transcript": "nothing stored has episode=ffff",
}


def why(url: str, name: str, **values: str) -> str:
    ready = ready_query(name)
    return explain_empty(
        url, ready, ready.bind(values | dict.fromkeys(set(ready.required) - values.keys(), "ffff"))
    )


def rows(url: str, name: str) -> int:
    ready = ready_query(name)
    with store.query(url, ready.sql, ready.bind(dict.fromkeys(ready.required, "ffff"))) as answer:
        return len(list(answer))


def test_an_empty_database(url: str) -> None:
    store.open_store(url, create=True).close()
    for name in ready_queries():
        assert rows(url, name) == 0
        assert why(url, name) == (PLAYED[name] if name == "trainings" else UNPLAYED)


def test_what_is_played_and_not_judged(url: str) -> None:
    with store.open_store(url, create=True) as opened:
        for item in begin(opened):
            add(opened, item, replace(played(item, "Good evening."), checks=()))
    for name, told in PLAYED.items():
        assert (rows(url, name), why(url, name)) == (0, told)
    assert [name for name in ready_queries() if name not in PLAYED and not rows(url, name)] == []


def test_what_is_judged(url: str) -> None:
    with store.open_store(url, create=True) as opened:
        items = begin(opened)
        for item in items:
            add(opened, item, replace(played(item, "Good evening."), checks=()))
            opened.add_judge("j1", "judge", {})
            opened.add_judgement(
                judged(item.episode_id(1), {("seller", "goal"): 7.5}), {("seller", "goal"): 0.75}
            )
    unchecked = (
        "no scenario that was played{} has checks; a scenario's file names them under `checks:`"
    )
    assert why(url, "checks") == unchecked.format("")
    assert why(url, "checks", run="first") == unchecked.format(" in run first")
    assert why(url, "unscored") == "every episode that ended has its score"
    assert why(url, "scores", run="first", judge="wit") == "nothing stored has run=first, judge=wit"


def test_a_run_among_others(url: str) -> None:
    with store.open_store(url, create=True) as opened:
        scored_world.store_world(opened)
    assert (
        why(url, "scores", run="empty")
        == "nothing was played in run empty; `simworld run` plays scenarios"
    )


def test_judgements_that_failed(url: str) -> None:
    with store.open_store(url, create=True) as opened:
        (item, *_) = begin(opened)
        add(opened, item, replace(played(item, "Good evening."), checks=()))
        opened.add_judge("j1", "judge", {})
        down = Failure(boundary="model", kind="timeout", message="no answer")
        failed = replace(
            judged(item.episode_id(1), {}), status=JudgementStatus.failed, failure=down
        )
        opened.add_judgement(failed, {})
    assert (
        why(url, "scores")
        == "every judgement failed; `simworld judge run --retry-failed` tries again"
    )


@pytest.mark.parametrize("name", ready_queries())
def test_every_query_reads_something_whose_lack_is_told(url: str, name: str) -> None:
    store.open_store(url, create=True).close()
    assert "nothing there" not in why(url, name)
