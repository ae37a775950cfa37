"""What there is, named and counted; and episodes by their words."""

from __future__ import annotations

from dataclasses import replace

from simworld.core.episode import Ending
from simworld.core.errors import Failure
from store import EndingCount, Store
from tests.factories.stored import RENT, TICKET, add, begin, judged, played

TIMEOUT = Failure(boundary="model", kind="timeout", message="no answer in 60 s")


def test_names(store: Store) -> None:
    begin(store, run="one")
    begin(store, run="two", scenario=RENT)
    found = store.filter_names()
    assert (sorted(found.runs), found.scenarios, found.families) == (
        ["one", "two"],
        ("rent", "ticket"),
        ("rent", "tickets"),
    )
    assert found.agents == ("rival", "smol")


def test_endings_are_counted_by_scenario(store: Store) -> None:
    first, second, third = begin(store)
    add(store, first, played(first, "x"))
    add(store, second, played(second, "x"))
    add(store, third, played(third, failure=TIMEOUT))
    count = EndingCount(
        scenario_id=TICKET.id,
        scenario_name="ticket",
        family="tickets",
        ending=Ending.turn_limit,
        reason="turn_limit",
        episodes=2,
    )
    failed = replace(count, ending=Ending.failed, reason="timeout", episodes=1)
    assert sorted(store.ending_counts("first"), key=lambda found: found.episodes) == [failed, count]
    assert store.ending_counts("none") == []


def test_a_run_alone_is_the_same_as_among_all(store: Store) -> None:
    first, *_ = begin(store, run="one")
    begin(store, run="two", repeats=2)
    add(store, first, played(first, "x"))
    assert [store.run_summary(name) for name in ("one", "two")] == sorted(
        store.run_summaries(), key=lambda summary: summary.run.name
    )


def test_the_scenarios_and_judges_of_a_run(store: Store) -> None:
    first, *_ = begin(store, run="one", scenario=TICKET)
    begin(store, run="one", scenario=RENT)
    assert store.run_scenarios("one") == [RENT.id, TICKET.id]
    assert store.run_agents("one") == {"rival": "a2", "smol": "a1"}
    add(store, first, played(first, "x"))
    rubric = {
        "rubric": {"name": "own", "id": "own@1", "dimensions": [{"name": "goal", "weight": 1}]}
    }
    for judge in ("j1", "j2"):
        store.add_judge(judge, judge, rubric)
    store.add_judgement(
        judged(first.episode_id(1), {("seller", "goal"): 5.0}), {("seller", "goal"): 0.5}
    )
    assert (store.scoring_judge_ids("one"), store.scoring_judge_ids("two")) == (["j1"], [])


def test_a_run_that_goes_on_takes_the_new_settings(store: Store) -> None:
    begin(store, repeats=2)
    assert store.run_record("first").settings == {"repeats": 2}
    begin(store, repeats=3)
    assert store.run_record("first").settings == {"repeats": 3}


def test_scenarios_by_a_piece_of_text(store: Store) -> None:
    first, *_ = begin(store, scenario=TICKET)
    begin(store, run="two", scenario=RENT)
    add(store, first, played(first, "x"))
    assert [(line.name, line.episodes) for line in store.scenario_lines()] == [
        ("rent", 0),
        ("ticket", 1),
    ]
    assert [line.name for line in store.scenario_lines("BARGAIN")] == ["ticket"]
    assert [line.name for line in store.scenario_lines("%")] == []
    assert [line.name for line in store.scenario_lines(start=1, limit=5)] == ["ticket"]


def test_words_are_found_in_any_case_the_latest_first(store: Store) -> None:
    first, second, third = begin(store)
    add(store, first, played(first, "Good evening.", "65 euros?"))
    add(store, second, played(second, "GOOD  morning.\nEvening!"))
    add(store, third, played(third, "Nothing of it."))

    def ids(
        *phrases: str, run: str | None = None, before: int | None = None, limit: int = 20
    ) -> list[str]:
        return [
            hit.episode_id
            for hit in store.search_text(phrases, run=run, before=before, limit=limit)
        ]

    both = [second.episode_id(1), first.episode_id(1)]
    assert ids("good", "evening") == both
    assert ids("good evening") == both[1:]
    assert ids("evening euros") == []  # they stand in two lines, with other words between them
    assert ids("good", run="first") == both
    assert ids("good", run="second") == []
    (latest,) = store.search_text(["good"], limit=1)
    assert latest.text == "GOOD morning. Evening!"
    assert ids("good", before=latest.number) == both[1:]
    for odd in ('a"b', "NOT", "x*", "text"):
        assert ids(odd) == []


def test_the_texts_of_episodes(store: Store) -> None:
    first, second, _ = begin(store)
    add(store, first, played(first, "One  line.", "", "Two\nlines."))
    add(store, second, played(second))
    ids = [first.episode_id(1), second.episode_id(1), "none"]
    assert store.texts_by_episode(ids) == {ids[0]: "One line.\n\nTwo lines.", ids[1]: ""}
    assert list(store.summaries_by_id(ids)) == sorted(
        ids[:2], key=list(store.summaries_by_id(ids)).index
    )
