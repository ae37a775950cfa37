"""The ready queries on the small world, worked out by hand, on both databases; and what they say of
themselves is so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import store
from simworld import connect
from simworld.analysis.connect import Analysis
from simworld.analysis.ready_queries import ready_queries, ready_query
from simworld.core.errors import InputError
from store.query_parameters import parameter_names
from tests.factories import scored_world
from tests.factories.stored import NOON, TICKET

BUYER, SELLER, OWNER, TENANT = "buyer", "seller", "owner", "tenant"

# Query → values, columns, rows
ROWS: dict[str, tuple[dict[str, Any], str, list[tuple[Any, ...]]]] = {
    "scores": (
        {"run": "first"},
        "judge_id agent dimension n families mean share",
        [
            ("j@1", "base", "bond", 3, 2, 0.0, 0.5),
            ("j@1", "rival", "bond", 6, 2, 1 / 6, 3.1 / 6),
            ("j@1", "steered", "bond", 3, 2, 4 / 3, 1.9 / 3),
            ("j@1", "base", "goal", 3, 2, 11 / 3, 1.1 / 3),
            ("j@1", "rival", "goal", 6, 2, 29 / 6, 2.9 / 6),
            ("j@1", "steered", "goal", 3, 2, 7.0, 0.7),
        ],
    ),
    "scores-by-family": (
        {"dimension": "goal", "agent": "rival", "judge": "j"},
        "family agent n share lowest highest",
        [("rent", "rival", 2, 0.4, 0.3, 0.5), ("tickets", "rival", 4, 2.1 / 4, 0.5, 0.6)],
    ),
    "paired": (
        {"first": "steered", "second": "base", "dimension": "goal"},
        "run judge_id dimension family n difference higher lower",
        [
            ("first", "j@1", "goal", "rent", 1, 0.2, 1, 0),
            ("first", "j@1", "goal", "tickets", 2, 0.4, 2, 0),
        ],
    ),
    "endings": (
        {},
        "agent ending reason n share turns",
        [
            ("base", "terminated", "left", 1, 1 / 4, 2.0),
            ("base", "turn_limit", "turn_limit", 3, 3 / 4, 2.0),
            ("rival", "failed", "timeout", 1, 1 / 8, 1.0),
            ("rival", "terminated", "left", 2, 2 / 8, 2.0),
            ("rival", "turn_limit", "turn_limit", 5, 5 / 8, 11 / 5),
            ("steered", "failed", "timeout", 1, 1 / 4, 1.0),
            ("steered", "terminated", "left", 1, 1 / 4, 2.0),
            ("steered", "turn_limit", "turn_limit", 2, 2 / 4, 5 / 2),
        ],
    ),
    "failures": (
        {},
        "run boundary kind n again message",
        [("first", "model", "timeout", 2, 1, "no answer in 60 s")],
    ),
    "judging": (
        {"run": "first"},
        "run judge judge_id ok failed episodes ended seconds message",
        [("first", "j", "j@1", 6, 1, 6, 7, 3 / 7, "no answer")],
    ),
    "unscored": (
        {},
        "run judge_id scenario ending message",
        [("first", "j@1", "rent", "turn_limit", "judge: timeout: no answer")],
    ),
    "checks": (
        {"dimension": "goal"},
        "judge_id family check_name seat holds fails undecided mean_holds mean_fails",
        [
            ("j@1", "rent", "word", OWNER, 1, 1, 0, 0.7, 0.5),
            ("j@1", "rent", "word", TENANT, 1, 1, 0, 0.3, 0.5),
            ("j@1", "tickets", "price", BUYER, 2, 1, 1, 0.55, 0.2),
            ("j@1", "tickets", "price", SELLER, 2, 1, 1, 0.6, 0.5),
        ],
    ),
    "costs": (
        {"run": "first"},
        "run agent model_id acts prompt_tokens new_tokens seconds asks cut_share dropped_share",
        [
            ("first", "base", "m1", 4, 400, 28, 1.0, 2.0, 0.0, 1.0),
            ("first", "rival", "m1", 8, 800, 56, 2.0, 2.0, 0.0, 1.0),
            ("first", "steered", "m1", 4, 400, 28, 1.0, 2.0, 0.0, 1.0),
        ],
    ),
    "language": (
        {},
        "agent acts speak other none characters private",
        [
            ("base", 4, 4, 0, 0, (12 + 20 + 12 + 20) / 4, 0.0),
            ("rival", 8, 8, 0, 0, (20 + 5 + 12 + 12 + 20 + 20 + 12 + 6) / 8, 0.0),
            ("steered", 4, 4, 0, 0, (21 + 21 + 20 + 12) / 4, 0.0),
        ],
    ),
    "repeated-lines": (
        {"run": "first"},
        "agent text n episodes",
        [
            ("rival", "Good evening to you.", 3, 3),
            ("rival", "Hello there.", 3, 3),
            ("base", "Good evening to you.", 2, 2),
            ("base", "Hello there.", 2, 2),
        ],
    ),
    "planners": (
        {},
        "run agent planner encoder acts noisy episodes families",
        [("first", "steered", "p1", "e1", 3, 1, 2, 2)],
    ),
    "coverage": (
        {},
        "family scenario agent seats failed scored",
        [
            ("rent", "rent", "base", 3, 1, 1),
            ("rent", "rent", "rival", 5, 2, 2),
            ("rent", "rent", "steered", 2, 1, 1),
            ("tickets", "ticket", "base", 2, 0, 2),
            ("tickets", "ticket", "rival", 4, 0, 4),
            ("tickets", "ticket", "steered", 2, 0, 2),
        ],
    ),
    "trainings": (
        {},
        "training kind status metric first last step n",
        [
            ("haggler", "td3bc", "running", "loss", 2.0, 0.25, 20, 3),
            ("haggler", "td3bc", "running", "q", 0.5, 0.5, 10, 1),
        ],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(asked: Analysis, name: str) -> None:
    values, columns, expected = ROWS[name]
    found = asked.ready(name, **values)
    rows = list(found[columns.split()].itertuples(index=False, name=None))
    assert rows == [
        tuple(pytest.approx(x) if isinstance(x, float) else x for x in row) for row in expected
    ]


def test_a_transcript_and_a_branch(url: str) -> None:
    with store.open_store(url, create=True) as opened:
        ids = scored_world.store_world(opened)
        (work,) = [
            item for item in opened.planned_items("first") if item.item.episode_id(1) == ids[1]
        ]
        branch = replace(work.item, run="branch")
        record = store.RunRecord(name="branch", seed=7, code_version="0.1", created=NOON)
        opened.begin_run(record, [replace(work, item=branch)], [TICKET], scored_world.AGENTS)
        (parent,) = [stored for stored in opened.episodes(run="first") if stored.id == ids[1]]
        shorter = replace(parent.episode, turns=parent.episode.turns[:1], reason="silence")
        place = {"scenario_name": "ticket", "family": "tickets", "parent_id": parent.id}
        opened.add_episode(branch, 1, shorter, started=NOON, ended=NOON, **place)
    with connect(url) as asked:
        said = asked.ready("transcript", episode=ids[1][:10])
        assert said["number"].tolist() == [1, 2, 3]  # as `episode show` prints them
        assert said[["turn", "seat", "agent", "text"]].values.tolist() == [
            [0, "seller", "steered", "Take it for 70 euros."],
            [1, "buyer", "rival", "Fine."],
            [2, "seller", "steered", "Take it for 70 euros."],
        ]
        found = asked.ready("branches")
        columns = ["branch", "run", "reason", "turns", "parent", "parent_reason", "parent_turns"]
        assert found[columns].values.tolist() == [
            [branch.episode_id(1), "branch", "silence", 1, ids[1], "turn_limit", 3]
        ]


def test_every_query_is_tested_by_its_rows() -> None:
    assert sorted(ready_queries()) == sorted([*ROWS, "transcript", "branches"])


@pytest.mark.parametrize("name", ready_queries())
def test_what_a_query_says_of_itself_is_so(world_url: str, name: str) -> None:
    ready = ready_queries()[name]
    assert ready.question.endswith("?")
    assert parameter_names(ready.sql) == tuple(
        sorted(ready.parameters, key=parameter_names(ready.sql).index)
    )
    values = ready.bind(dict.fromkeys(ready.required, "x"))
    with store.query(world_url, ready.sql, values) as answer:
        assert answer.columns == tuple(ready.columns)


def test_ready_queries_are_listed(asked: Analysis) -> None:
    found = asked.ready_queries().set_index("query")
    assert found.loc["transcript", "parameters"] == ["episode"]
    assert found.loc["failures", "columns"] == ["run", "boundary", "kind", "n", "again", "message"]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("scroes", {}, "no ready query @scroes; did you mean '@scores'?"),
        ("xyz", {}, "no ready query @xyz; there are branches, checks,"),
        ("scores", {"rnu": "first"}, "@scores has no parameter 'rnu'; did you mean 'run'?"),
        ("paired", {"first": "base"}, "@paired needs second=…"),
        ("scores", {"run": "frist"}, "no run 'frist' there; did you mean 'first'?"),
        ("scores", {"judge": "k"}, "no judge 'k' there; there are j"),
        (
            "paired",
            {"first": "base", "second": "steeerd"},
            "no agent 'steeerd' there; did you mean 'steered'?",
        ),
    ],
)
def test_mistakes_are_one_line(
    asked: Analysis, name: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        asked.ready(name, **values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_may_have_its_sign() -> None:
    assert ready_query("@scores") == ready_query("scores")
