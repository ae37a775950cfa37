"""Named questions about the small world, worked out by hand, on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from simworld.analysis.connect import Analysis
from simworld.analysis.questions.query_source import Note

pytestmark = pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in frame[list(columns)].itertuples(index=False)]


def test_scores_by_agent(asked: Analysis) -> None:
    found = asked.scores(measures=["overall"])
    # base: (.425 + .275 + .5) / 3; resampled families: tickets twice .35, rent twice .5.
    assert found.to_dict("records") == [
        {
            "agent": agent,
            "measure": "overall",
            "mean": pytest.approx(mean),
            "low": pytest.approx(low),
            "high": pytest.approx(high),
            "n": n,
            "families": 2,
            "score": pytest.approx(mean),
            "played": played,
            "failed": failed,
            "unscored": unscored,
        }
        for agent, mean, low, high, n, played, failed, unscored in [
            ("base", 1.2 / 3, 0.35, 0.5, 3, 4, 0, 1),
            ("rival", 2.95 / 6, 0.425, 0.525, 6, 8, 1, 1),
            ("steered", 2.05 / 3, 0.675, 0.7, 3, 4, 1, 0),
        ]
    ]


def test_measures_come_in_their_order_and_range(asked: Analysis) -> None:
    found = asked.scores(agents=["base"])
    assert found["measure"].tolist() == ["overall", "goal", "bond"]
    # goal: (.4 + .2 + .5) / 3 of 0 … 10; bond: .5 of −5 … 5.
    assert found["mean"].tolist() == pytest.approx([0.4, 1.1 / 3, 0.5])
    assert found["score"].tolist() == pytest.approx([0.4, 11 / 3, 0.0])


def test_one_name_needs_no_list(asked: Analysis) -> None:
    assert rows(asked.scores(by="agent", measures="goal", agents="base"), "agent", "measure") == [
        ("base", "goal")
    ]
    assert len(asked.paired("steered", "base", by="seat", measures="bond")) == 3


def test_scores_by_other_things(asked: Analysis) -> None:
    found = asked.scores(by=("family", "agent"), measures=["goal"], agents=["base", "steered"])
    assert rows(found, "family", "agent", "mean", "n", "unscored", "failed") == [
        ("rent", "base", 0.5, 1, 1, 0),
        ("rent", "steered", pytest.approx(0.7), 1, 0, 1),
        ("tickets", "base", pytest.approx(0.3), 2, 0, 0),
        ("tickets", "steered", pytest.approx(0.7), 2, 0, 0),
    ]
    assert found["low"].isna().all()  # one family in each row
    assert rows(asked.scores(by=(), measures=["bond"]), "n", "played", "failed", "unscored") == [
        (12, 16, 2, 2)
    ]


def test_paired(asked: Analysis) -> None:
    found = asked.paired("steered", "base")
    # overall: tickets .325 twice, rent .2; goal: .4 twice, .2; bond: .1 twice, .2.
    assert rows(found, "measure", "difference", "low", "high") == [
        ("overall", pytest.approx(0.2625), pytest.approx(0.2), pytest.approx(0.325)),
        ("goal", pytest.approx(0.3), pytest.approx(0.2), pytest.approx(0.4)),
        ("bond", pytest.approx(0.15), pytest.approx(0.1), pytest.approx(0.2)),
    ]
    counts = (
        "pairs",
        "cells",
        "families",
        "failed_first",
        "failed_second",
        "unscored_first",
        "unscored_second",
    )
    assert rows(found, *counts) == [(3, 3, 2, 1, 0, 0, 1)] * 3
    turned = asked.paired("base", "steered", measures=["overall"])
    assert rows(turned, "difference", "failed_first", "failed_second") == [
        (pytest.approx(-0.2625), 0, 1)
    ]


def test_paired_for_whom(asked: Analysis) -> None:
    found = asked.paired("steered", "base", by=["seat"], measures=["overall"])
    assert rows(found, "seat", "difference", "pairs", "failed_first", "unscored_second") == [
        ("buyer", pytest.approx(0.325), 1, 0, 0),
        ("owner", pytest.approx(0.2), 1, 0, 0),
        ("seller", pytest.approx(0.325), 1, 0, 0),
    ]
    assert found["low"].isna().all()


def test_paired_by_kind_and_position(asked: Analysis) -> None:
    found = asked.paired("steered@1", "base", by=("kind", "position"), measures=["overall"])
    assert rows(found, "kind", "position", "difference", "pairs") == [
        ("", 0, pytest.approx(0.2), 1),
        ("bargaining", 0, pytest.approx(0.325), 1),
        ("bargaining", 1, pytest.approx(0.325), 1),
    ]
    assert rows(
        asked.scores(by="position", measures=["goal"], agents=["base"]), "position", "n"
    ) == [(0, 2), (1, 1)]


def test_paired_on_values_of_ones_own(asked: Analysis) -> None:
    said = asked.transcripts(limit=0)
    said["words"] = said["text"].str.split().str.len()
    own = said.groupby(["episode", "seat"], as_index=False)["words"].mean()
    found = asked.paired("steered", "base", values=own)
    # seller: 5 words a line less 2; buyer: 4 less 4; owner: 2 less 2; tenant: steered's episode
    # failed.
    counts = (
        "measure",
        "difference",
        "pairs",
        "families",
        "failed_first",
        "unscored_first",
        "unscored_second",
    )
    assert rows(found, *counts) == [("words", pytest.approx(0.75), 3, 2, 1, 0, 0)]
    each = asked.pairs("steered", "base", values=own, scenario="ticket")
    assert rows(each, "seat", "first", "second", "difference") == [
        ("buyer", 4.0, 4.0, 0.0),
        ("seller", 5.0, 2.0, 3.0),
    ]
    some = own[own["words"] < 5]
    assert rows(asked.paired("steered", "base", values=some), "pairs", "unscored_first") == [(2, 1)]


def test_pairs(asked: Analysis) -> None:
    found = asked.pairs("steered", "base")
    assert rows(
        found, "family", "scenario", "seat", "partners", "repeat", "first", "second", "difference"
    ) == [
        ("rent", "rent", "owner", "rival", 0, *map(pytest.approx, (0.7, 0.5, 0.2))),
        ("tickets", "ticket", "buyer", "rival", 0, *map(pytest.approx, (0.6, 0.275, 0.325))),
        ("tickets", "ticket", "seller", "rival", 0, *map(pytest.approx, (0.75, 0.425, 0.325))),
    ]
    assert set(found["episode_first"]) <= set(asked.episodes(agents=["steered"])["episode"])


def test_standings_and_games(asked: Analysis) -> None:
    found = asked.standings()
    assert rows(
        found, "agent", "games", "wins", "ties", "losses", "n", "played", "failed", "unscored"
    ) == [
        ("steered", 3, 3, 0, 0, 3, 4, 1, 0),
        ("base", 3, 0, 0, 3, 3, 4, 0, 1),
        ("rival", 0, 0, 0, 0, 6, 8, 1, 1),
    ]
    assert found["rating"].iloc[0] > 1000 > found["rating"].iloc[1]
    assert pd.isna(found["rating"].iloc[2])
    assert math.isinf(found["rating_high"].iloc[0])  # won every game
    assert -math.inf < found["rating_low"].iloc[0] < found["rating"].iloc[0]
    assert (
        "steered won every game: only a lower bound of the rating is known" in found.attrs["notes"]
    )
    assert rows(asked.games(tie=0.25), "agent", "opponent", "wins", "ties", "losses", "n") == [
        ("base", "steered", 0, 1, 2, 3),
        ("steered", "base", 2, 1, 0, 3),
    ]
    assert rows(asked.standings(anchor="base"), "agent", "rating")[1] == ("base", 1000.0)


def test_endings(asked: Analysis) -> None:
    found = asked.endings(agents=["base"])
    assert rows(found, "agent", "ending", "reason", "count", "share", "n", "families", "turns") == [
        ("base", "terminated", "left", 1, 0.25, 4, 2, 2.0),
        ("base", "turn_limit", "turn_limit", 3, 0.75, 4, 2, 2.0),
    ]
    # Of episodes: eight work items; the attempt before the last does not count.
    whole = asked.endings(by=())
    assert rows(whole, "ending", "count", "n") == [
        ("failed", 1, 8),
        ("terminated", 2, 8),
        ("turn_limit", 5, 8),
    ]


def test_what_there_is(asked: Analysis) -> None:
    assert rows(asked.runs(), "run", "planned", "done", "failed", "episodes", "judged") == [
        ("first", 8, 7, 1, 9, 6)
    ]
    assert rows(asked.agents(run="first"), "agent", "seats", "families", "failed") == [
        ("base", 5, 2, 1),
        ("rival", 9, 2, 2),
        ("steered", 4, 2, 1),
    ]
    assert rows(asked.judges(), "judge", "judgements", "ok", "failed", "samples") == [
        ("j", 7, 6, 1, 1)
    ]


def test_episodes_and_transcripts(asked: Analysis) -> None:
    found = asked.episodes(ending="failed")
    assert rows(found, "scenario", "attempt", "failure_kind", "turns") == [
        ("rent", 1, "timeout", 1),
        ("rent", 1, "timeout", 0),
    ]
    assert str(found["ended"].dtype).startswith("datetime64")
    said = asked.transcripts(run="first", agents=["steered"], scenario="ticket", limit=0)
    assert sorted(said["text"]) == [
        "Good evening to you.",
        "Take it for 70 euros.",
        "Take it for 70 euros.",
    ]
    one = asked.transcripts(episode=found["episode"].iloc[0][:12])
    assert rows(one, "turn", "seat", "agent", "kind", "text", "recipients") == [
        (0, "owner", "rival", "speak", "Hello.", []),
    ]


def test_sql_takes_values(asked: Analysis) -> None:
    found = asked.sql(
        "SELECT seat, score FROM episode_scores WHERE dimension = :d AND agent_name = :a",
        d="goal",
        a="base",
    )
    assert sorted(rows(found, "seat", "score")) == [("buyer", 2.0), ("owner", 5.0), ("seller", 4.0)]
    assert asked.sql("SELECT avg(turns) AS mean FROM episodes")["mean"].dtype == "float64"


def test_an_answer_that_is_cut_says_so(asked: Analysis) -> None:
    with pytest.warns(Note, match="only the first 2 rows"):
        found = asked.sql("SELECT id FROM episodes", limit=2)
    assert len(found) == 2
    assert found.attrs["notes"] == ["only the first 2 rows; limit=0 gives all"]


def test_checks_against_the_judge(asked: Analysis) -> None:
    found = asked.checks()
    columns = (
        "check",
        "measure",
        "holds",
        "fails",
        "mean_holds",
        "mean_fails",
        "difference",
        "families",
    )
    # price holds: .4 .6 .8 .5, fails: .5 .2. word holds: .7 .3, fails: .5 .5; its third episode has
    # no score.
    assert rows(found, *columns) == [
        ("price", "goal", 4, 2, *map(pytest.approx, (0.575, 0.35, 0.225)), 1),
        ("word", "goal", 2, 2, *map(pytest.approx, (0.5, 0.5, 0.0)), 1),
    ]
    assert rows(found, "undecided", "unscored") == [(2, 0), (0, 2)]
    every = asked.checks(by=(), measure="goal")
    # (.225 + 0) / 2, from 0 to .225
    assert rows(every, "difference", "low", "high", "families") == [
        (*map(pytest.approx, (0.1125, 0.0, 0.225)), 2)
    ]


def test_checks_by_seat(asked: Analysis) -> None:
    found = asked.checks(
        by=("check", "seat"), measure="overall", family="tickets", agents=["rival"]
    )
    assert rows(found, "check", "seat", "holds", "fails", "mean_holds", "undecided") == [
        ("price", "buyer", 2, 0, pytest.approx(0.55), 0),
        ("price", "seller", 0, 1, pytest.approx(float("nan"), nan_ok=True), 1),
    ]


def test_language(asked: Analysis) -> None:
    found = asked.language(agents=["steered"]).set_index("measure")
    # ticket, seller: two lines of 5 words, the second the first again; ticket, buyer: 4 words.
    # rent, owner: 2 words.
    assert found["n"].to_dict() == dict.fromkeys(found.index, 4)
    assert found["value"].to_dict() == pytest.approx(
        {
            "words": 16 / 4,
            "empty_share": 0.0,
            "repeated_share": 1 / 4,
            "distinct_1": 11 / 16,
            "distinct_2": 8 / 12,
            "perplexity": 2.718281828 ** (12.5 / 7),
        }
    )
    # tickets: 14 words in 3 lines; rent: 2 in 1
    assert (found["low"]["words"], found["high"]["words"]) == pytest.approx((2.0, 14 / 3))


def test_a_sample_of_what_was_said(asked: Analysis) -> None:
    with pytest.warns(Note, match="1 episode of each agent was read"):
        found = asked.language(most=1)
    assert (found["families"] == 1).all()


def test_planner_actions(asked: Analysis) -> None:
    found = asked.planner_actions()
    # (3, 4) twice and (0, 5): RMS 5 / √2 each; cosines 1, .8, .8; deviations from the mean (2,
    # 13/3): one direction.
    assert found.to_dict("records") == [
        {
            "agent": "steered",
            "planner": "p1",
            "encoder": "e1",
            "size": 2,
            "rms": pytest.approx(5 / 2**0.5),
            "low": pytest.approx(5 / 2**0.5),
            "high": pytest.approx(5 / 2**0.5),
            "dispersion": pytest.approx(0.4 / 3),
            "directions": pytest.approx(1.0),
            "noisy_share": pytest.approx(1 / 3),
            "n": 3,
            "families": 2,
        }
    ]


def test_action_vectors(asked: Analysis) -> None:
    found = asked.action_vectors(scenario="rent", states=True)
    assert rows(found, "agent", "seat", "turn", "noisy", "text") == [
        ("steered", "owner", 0, False, "Hello there.")
    ]
    assert found["action"][0].tolist() == [0.0, 5.0]
    assert found["state"][0].tolist() == [1.0, 1.0, 1.0]
    with pytest.warns(Note, match="2 acts of a planner were read"):
        assert len(asked.action_vectors(limit=2)) == 2
