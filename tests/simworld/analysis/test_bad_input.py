"""What cannot be answered is said in one line; what an answer rests on is said beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from simworld import connect
from simworld.analysis.connect import Analysis
from simworld.analysis.questions.query_source import Note
from simworld.core.errors import InputError, SimworldError
from store import AgentRecord, Store, open_store
from tests.factories import scored_world
from tests.factories.stored import TICKET

pytestmark = pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")
Ask = Callable[[Analysis], Any]

NAMED: dict[str, Ask] = {
    "scores": lambda a: a.scores(),
    "paired": lambda a: a.paired("steered", "base"),
    "pairs": lambda a: a.pairs("steered", "base"),
    "standings": lambda a: a.standings(),
    "games": lambda a: a.games(),
    "checks": lambda a: a.checks(),
    "endings": lambda a: a.endings(),
    "episodes": lambda a: a.episodes(),
    "transcripts": lambda a: a.transcripts(),
    "language": lambda a: a.language(),
    "planner_actions": lambda a: a.planner_actions(),
    "action_vectors": lambda a: a.action_vectors(),
}
JUDGED = ("scores", "paired", "pairs", "standings", "games", "checks")


def refused(asked: Analysis, ask: Ask) -> str:
    with pytest.raises(SimworldError) as caught:
        ask(asked)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda a: a.scores(run="frist"), "no run 'frist' in"),
        (lambda a: a.scores(run="frist"), "did you mean 'first'?"),
        (lambda a: a.scores(run="zzz"), "there are first"),
        (lambda a: a.scores(agents=["bsae"]), "no agent 'bsae'"),
        (lambda a: a.scores(scenario="tickte"), "did you mean 'ticket'?"),
        (lambda a: a.scores(family="rnet"), "did you mean 'rent'?"),
        (lambda a: a.scores(judge="jj"), "no judge 'jj' in"),
        (lambda a: a.scores(judge=""), "no judge '' in"),
        (lambda a: a.scores(measures=["gaol"]), "did you mean 'goal'?"),
        (lambda a: a.scores(by=["agnet"]), "did you mean 'agent'?"),
        (lambda a: a.checks(by=["chekc"]), "did you mean 'check'?"),
        (lambda a: a.paired("steered", "bsae"), "did you mean 'base'?"),
        (lambda a: a.paired("base", "base"), "'base' is compared with itself"),
        (
            lambda a: a.paired("rival", "base"),
            "'rival' and 'base' share no scored cell in run 'first'",
        ),
        (lambda a: a.standings(anchor="stered"), "did you mean 'steered'?"),
        (lambda a: a.standings(tie=2), "tie is 2; it is a share of the range"),
        (
            lambda a: a.episodes(ending="timeout"),
            "no ending 'timeout'; there are terminated, turn_limit, failed",
        ),
        (lambda a: a.transcripts(episode="xyz"), "not an episode id: 'xyz'"),
        (lambda a: a.transcripts(episode="f" * 20), "no episode ffff"),
        (lambda a: a.planner_actions(planner="p2"), "no planner 'p2'; there are p1"),
        (lambda a: a.planner_actions(agents=["base"]), "no planner acted in these episodes"),
        (lambda a: a.sql("DELETE FROM runs"), "only reading is allowed here"),
        (lambda a: a.sql("SELECT 1; SELECT 2"), "SQL: |one statement"),
        (lambda a: a.sql("SELECT agent FROM episode_scores"), "agent"),
    ],
)
def test_what_is_not_there_or_makes_no_sense(asked: Analysis, ask: Ask, said: str) -> None:
    message = refused(asked, ask)
    assert any(part in message for part in said.split("|"))


def test_an_endless_query_is_stopped(asked: Analysis) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "
    assert "stopped after 0.2 seconds" in refused(
        asked, lambda a: a.sql(endless + "max(x) FROM c", timeout_s=0.2)
    )
    with pytest.warns(Note, match="only the first 1,000 rows"):
        assert len(asked.sql(endless + "x FROM c", limit=1000)) == 1000


def test_an_empty_store(url: str) -> None:
    open_store(url, create=True).close()
    with connect(url) as asked:
        for ask in NAMED.values():
            assert "no episodes in" in refused(asked, ask)
        assert len(asked.runs()) == len(asked.agents()) == len(asked.judges()) == 0


def test_no_store_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no database"):
        connect(str(tmp_path / "absent.db"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_judged(url: str) -> None:
    with open_store(url, create=True) as store:
        scored_world.store_world(
            store, [scored_world.with_scores(one, None) for one in scored_world.WORLD]
        )
    with connect(url) as asked:
        for name in JUDGED:
            assert "is judged yet; `simworld judge run` does it" in refused(asked, NAMED[name])


def test_a_judge_that_failed_everywhere(url: str) -> None:
    everywhere = [scored_world.failed_judge(one) for one in scored_world.WORLD]
    with open_store(url, create=True) as store:
        scored_world.store_world(store, everywhere)
    with connect(url) as asked:
        for name in JUDGED:
            message = refused(asked, NAMED[name])
            assert "judge 'j' has scored no episode of" in message
            assert (
                "judge: timeout: no answer; `simworld judge run --retry-failed` tries again"
                in message
            )


def test_every_episode_failed(url: str) -> None:
    with open_store(url, create=True) as store:
        scored_world.store_world(store, [one for one in scored_world.WORLD if one.failure])
    with connect(url) as asked:
        assert "every episode of" in refused(asked, NAMED["scores"])
        assert "every episode of this failed" in refused(asked, NAMED["language"])
        assert "no check was made" in refused(asked, NAMED["checks"])
        assert asked.endings(by=())["ending"].tolist() == ["failed"]


def second_judge(store: Store, ids: list[str], judge_id: str, name: str) -> None:
    store.add_judge(judge_id, name, {"spec": {"name": name}, "rubric": scored_world.RUBRIC})
    for id_, one in zip(ids, scored_world.WORLD, strict=True):
        scored_world.judge(store, id_, one, judge_id=judge_id)


def test_judges_are_never_mixed(url: str) -> None:
    with open_store(url, create=True) as store:
        second_judge(store, scored_world.store_world(store), "k@1", "k")
    with connect(url) as asked:
        for name in JUDGED:
            assert "2 judges have scored this" in refused(asked, NAMED[name])
        assert asked.scores(judge="k").equals(asked.scores(judge="j"))


def test_two_versions_of_a_judge_are_never_mixed(url: str) -> None:
    with open_store(url, create=True) as store:
        second_judge(store, scored_world.store_world(store), "j@2", "j")
    with connect(url) as asked:
        assert "judge 'j' has judged as j@1 and as j@2" in refused(asked, NAMED["scores"])
        assert len(asked.scores(judge="j@2")) == 9


def test_a_judge_of_swapped_dialogues_scores_nothing(url: str) -> None:
    with open_store(url, create=True) as store:
        ids = scored_world.store_world(store)
        store.add_judge(
            "j+@1",
            "j+seats",
            {"spec": {"of": "j@1", "swap": "seats"}, "rubric": scored_world.RUBRIC},
        )
        for id_, one in zip(ids, scored_world.WORLD, strict=True):
            scored_world.judge(store, id_, one, judge_id="j+@1")
    with connect(url) as asked:
        assert len(asked.scores()) == 9


def test_one_name_for_two_agents(url: str) -> None:
    with open_store(url, create=True) as store:
        scored_world.store_world(store)
        others = [
            AgentRecord(id=f"{agent.name}@2", name=agent.name, spec={})
            for agent in scored_world.AGENTS
        ]
        scored_world.store_world(store, run="second", agents=others)
    with connect(url) as asked:
        assert "agent 'base' is a different one in run 'first' than in run 'second'" in refused(
            asked, NAMED["scores"]
        )
        assert "both take part in 2 runs; say run=…: first, second" in refused(
            asked, NAMED["paired"]
        )
        assert "2 runs are in" in refused(asked, NAMED["standings"])
        assert asked.scores(agents=["base@2"])["n"].tolist() == [3, 3, 3]
        assert len(asked.paired("steered", "base", run="second")) == 3
        assert "are not both in run 'second'" in refused(
            asked, lambda a: a.paired("steered@1", "base", run="second")
        )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"episode": ["x"], "seat": ["y"]}, "values has no column of numbers"),
        ({"episode": ["x"], "words": [1.0]}, "values has no column seat"),
        (
            {"episode": ["x", "x"], "seat": ["y", "y"], "n": [1, 2]},
            "several rows for one episode and seat",
        ),
        ({"episode": ["x"], "seat": ["y"], "n": [1]}, "share no scored cell"),
        ({"episode": ["x"], "seat": ["y"], "n": [float("nan")]}, "share no scored cell"),
    ],
)
def test_values_that_cannot_be_used(
    asked: Analysis, values: dict[str, list[Any]], said: str
) -> None:
    assert said in refused(
        asked, lambda a: a.paired("steered", "base", values=pd.DataFrame(values))
    )


def test_values_beside_a_judge(asked: Analysis) -> None:
    given = pd.DataFrame({"episode": ["x"], "seat": ["y"], "n": [1]})
    assert "two sources" in refused(
        asked, lambda a: a.paired("steered", "base", values=given, judge="j")
    )


def test_an_infinite_value(asked: Analysis) -> None:
    said = asked.transcripts(limit=0)
    given = said[["episode", "seat"]].drop_duplicates().assign(n=float("inf"))
    assert "infinite numbers in n" in refused(
        asked, lambda a: a.paired("steered", "base", values=given)
    )


def test_one_scenario_has_no_interval_and_says_so(url: str) -> None:
    with open_store(url, create=True) as store:
        scored_world.store_world(
            store, [one for one in scored_world.WORLD if one.scenario is TICKET]
        )
    with connect(url) as asked:
        for ask in (
            NAMED["scores"],
            NAMED["paired"],
            NAMED["standings"],
            NAMED["endings"],
            NAMED["checks"],
        ):
            with pytest.warns(Note, match="1 family.* no .*intervals?"):
                found = ask(asked)
            assert found["low"].isna().all()


def test_a_score_that_is_no_number(postgresql_url: str) -> None:
    import psycopg  # SQLite has no NaN: it stores null, which the table refuses

    with open_store(postgresql_url, create=True) as store:
        scored_world.store_world(store)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE verdicts SET rescaled = 'NaN' WHERE seat = 'tenant' AND dimension = 'goal'"
        )
    with connect(postgresql_url) as asked:
        for name in JUDGED:
            assert "goal of seat 'tenant' by j@1 is" in refused(asked, NAMED[name])
