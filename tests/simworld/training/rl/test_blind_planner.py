"""Blind checkpoints hold what their planner chooses in stored states, spread over turns and
families."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from simworld.training.data.transitions import Transitions
from simworld.training.rl.blind_planner import blind_checkpoint, spread_rows
from simworld.training.rl.train_planner import train_planner
from tests.factories.transitions import directions, episodes
from tests.simworld.training.rl.test_train_planner import DATA, SETTINGS, start


def acts(*, per_family: tuple[int, ...]) -> Transitions:
    """Episodes of two acts with 1 and .5 of the turns left; so many of each family."""
    count = sum(per_family)
    rng = np.random.default_rng(0)
    states = rng.normal(size=(count, 2, 3))
    states[:, :, 2] = [1.0, 0.5]
    return episodes(
        states.tolist(),
        directions(2 * count, 4, rng).reshape(count, 2, 4).tolist(),
        rng.normal(size=(count, 2)).tolist(),
        families=[f"family {f}" for f, size in enumerate(per_family) for _ in range(size)],
    )


def test_rows_are_even_over_turns_and_families() -> None:
    data = acts(per_family=(40, 4, 4))
    rows = spread_rows(data, 18, seed=1)
    assert rows.tolist() == sorted(set(rows.tolist()))
    shares = data.states[data.state_rows[rows], -1].tolist()
    found = Counter(zip(shares, data.family_index[rows].tolist(), strict=True))
    assert found == dict.fromkeys(((share, f) for share in (1.0, 0.5) for f in range(3)), 3)
    assert not np.array_equal(rows, spread_rows(data, 18, seed=2))
    assert np.array_equal(rows, spread_rows(data, 18, seed=1))


def test_where_a_family_has_few_the_others_fill_up() -> None:
    data = acts(per_family=(40, 1))
    rows = spread_rows(data, 20, seed=0)
    shares = data.states[data.state_rows[rows], -1].tolist()
    assert Counter(shares) == {1.0: 10, 0.5: 10}
    assert Counter(data.family_index[rows].tolist()) == {0: 18, 1: 2}
    assert spread_rows(data, 500, seed=0).tolist() == list(range(82))


def test_its_pairs_are_what_the_planner_does() -> None:
    data = acts(per_family=(3, 3))
    planner = train_planner(DATA, start(actor=True), SETTINGS)
    blind = blind_checkpoint(planner, data, seed=0)
    assert blind.blind is not None
    assert (blind.actor, blind.constant, blind.info.parent) == (None, None, planner.id)
    states = torch.from_numpy(data.states[data.state_rows])
    torch.testing.assert_close(blind.blind[:, 0], states[:, -1])
    torch.testing.assert_close(blind.blind[:, 1:], planner.choose_actions(states))
    assert blind.id == blind_checkpoint(planner, data, seed=0).id
    # what is taught from it sees again
    assert train_planner(DATA, blind, SETTINGS).info.blind == 0
