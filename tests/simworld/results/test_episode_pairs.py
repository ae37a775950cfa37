"""Two agents in one scenario, episode beside episode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simworld.results.episode_pairs import pair_episodes
from store import Store, open_store
from tests.factories.tournaments import play, tournament, write


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write(tmp_path, families=2, tables=1, agents=("ada", "ben", "cyn"))
    with open_store(f"sqlite:///{tmp_path / 'x.db'}", create=True) as made:
        play(
            tournament(
                tmp_path, "repeats: 2", agents=("ada", "ben", "cyn"), scenarios="[k*.yaml, t*.yaml]"
            ),
            made,
        )
        yield made


def test_pairs_differ_in_one_agent_only(store: Store) -> None:
    kitchen = store.run_scenarios("cup")[0]
    found = pair_episodes(store, "cup", kitchen, "ada", "ben")
    # two seats, three partners, two repeats, in the order of the seats
    assert [(pair.seat, pair.partners, pair.repeat) for pair in found] == [
        (seat, (partner,), repeat)
        for seat in ("cook", "guest")
        for partner in ("ada", "ben", "cyn")
        for repeat in (0, 1)
    ]
    for pair in found:
        one, two = (
            {seat.seat: seat.agent_name for seat in side.seats}
            for side in (pair.first, pair.second)
        )
        assert (one.pop(pair.seat), two.pop(pair.seat)) == ("ada", "ben")
        assert one == two
        assert pair.first.seed == pair.second.seed


def test_only_seats_that_count(store: Store) -> None:
    kitchen = store.run_scenarios("cup")[0]
    found = pair_episodes(
        store, "cup", kitchen, "ada", "ben", is_compared=lambda summary, seat: seat.seat == "guest"
    )
    assert {pair.seat for pair in found} == {"guest"}


def test_agents_that_never_met_have_no_pairs(store: Store) -> None:
    assert pair_episodes(store, "cup", store.run_scenarios("cup")[0], "ada", "nobody") == []
