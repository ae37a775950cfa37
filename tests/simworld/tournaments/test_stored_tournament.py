"""A tournament from its run alone says what its file says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simworld.core.errors import InputError
from simworld.tournaments.results import results_by_ids, tournament_results
from simworld.tournaments.stored_tournament import stored_judges, stored_tournament
from store import Store, open_store
from tests.factories.tournaments import play, tournament, write

SETTINGS = {
    "a round robin": "title: The cup\nanchor: ben\ntie: 0.2\nseats: first",
    "fixed partners": "format: fixed_partner\npartners: [dov.yaml]",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write(tmp_path, families=3)
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", create=True) as made:
        yield made


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_standings_need_no_file(store: Store, tmp_path: Path, settings: str) -> None:
    made = tournament(tmp_path, settings, agents=("ada", "ben", "cyn"))
    play(made, store)
    found = stored_tournament(store, "cup")
    assert (found.agents, found.partners, found.anchor, found.tie) == (
        made.agents,
        made.partners,
        made.anchor,
        made.tie,
    )
    assert (found.file.title, found.file.seats) == (made.file.title, made.file.seats)
    judges = stored_judges(store, "cup")
    assert list(judges) == ["fake"]
    expected = tournament_results(made, store, made.judges[0], rounds=50)
    assert results_by_ids(found, store, "fake", judges["fake"], rounds=50) == expected


def test_what_was_taken_out_of_the_file_is_left_out(store: Store, tmp_path: Path) -> None:
    play(tournament(tmp_path, agents=("ada", "ben", "cyn")), store)
    play(tournament(tmp_path, agents=("ada", "cyn")), store)
    assert stored_tournament(store, "cup").agents == ("ada", "cyn")


def test_any_run_counts_as_one_of_all_its_agents(store: Store, tmp_path: Path) -> None:
    from tests.factories.stored import begin

    begin(store, run="no tournament at all!")
    found = stored_tournament(store, "no tournament at all!")
    assert (found.name, found.agents, found.anchor, found.tie) == (
        "no tournament at all!",
        ("rival", "smol"),
        None,
        0.0,
    )
    assert [scenario.name for scenario in found.scenarios] == ["ticket"]
    assert stored_judges(store, found.name) == {}
    with pytest.raises(InputError, match="no run 'none'"):
        stored_tournament(store, "none")


def test_judges_of_one_name_are_told_apart(store: Store) -> None:
    from tests.factories.stored import add, begin, judged, played

    first, *_ = begin(store)
    add(store, first, played(first, "x"))
    rubrics = [
        {"name": name, "id": f"{name}@1", "dimensions": [{"name": "goal", "weight": 1}]}
        for name in ("one", "two")
    ]
    for judge, model, rubric in (
        ("j@aaaaaaaa11", "a", 0),
        ("j@bbbbbbbb22", "a", 1),
        ("j@cccccccc33", "b", 0),
    ):
        store.add_judge(judge, "same", {"spec": {"model": model}, "rubric": rubrics[rubric]})
        made = judged(first.episode_id(1), {("seller", "goal"): 5.0}, judge=judge)
        store.add_judgement(made, {("seller", "goal"): 0.5})
    assert stored_judges(store, "first") == {
        "same aaaaaaaa": ("j@aaaaaaaa11", "j@bbbbbbbb22"),
        "same cccccccc": ("j@cccccccc33",),
    }
