"""Of a work item its last attempt counts, in whatever order attempts are read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from simworld.core.episode import Ending
from simworld.results.last_attempts import last_attempts
from store import Store, open_store
from tests.factories import scored_world


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "x.db"), create=True) as made:
        scored_world.store_world(made)
        yield made


def test_a_retry_takes_the_place_of_what_failed(store: Store) -> None:
    summaries = store.episode_summaries(run="first")
    last = last_attempts(summaries)
    # one of nine episodes was played again
    assert (len(summaries), len(last)) == (9, 8)
    assert sorted(summary.attempt for summary in last.values()) == [1] * 7 + [2]
    (again,) = (summary for summary in last.values() if summary.attempt == 2)
    assert again.ending is not Ending.failed
    both = [summary for summary in summaries if summary.item_key == again.item_key]
    for order in permutations(both):
        assert last_attempts(order) == {again.item_key: again}


def test_the_cells_that_the_store_keeps_are_of_the_same_attempts(store: Store) -> None:
    ids = store.run_scenarios("first")
    kept = [int(n) for part in store.cells("first", [], ids) for n in part.episode]
    last = last_attempts(store.episode_summaries(run="first")).values()
    assert sorted(kept) == sorted(int(summary.id[:16], 16) for summary in last)
