"""How an episode was steered: by hand for a few actions of two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from simworld.analysis.steered_seats import read_steered_seats
from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, PlanStep, Turn, WorkItem
from store import Store
from tests.factories.stored import NOON, TICKET, begin

RIGHT, UP, LEFT = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)


def add(
    store: Store,
    work: WorkItem,
    actions: Sequence[tuple[float, float] | None],
    *,
    planner: str = "p1",
) -> str:
    """An episode in which the seller takes these actions, turn by turn; None: a turn without
    one."""
    turns = []
    for i, action in enumerate(actions):
        plan = PlanStep(
            state=np.zeros(3, np.float32),
            action=None if action is None else np.array(action, np.float32),
            encoder_id="e",
            planner_id=planner,
        )
        act = Act(
            seat="seller",
            action=Action(kind=ActionKind.speak, text=f"line {work.repeat}.{i}"),
            plan=plan,
        )
        turns.append(Turn(index=i, acts=(act,)))
    episode = Episode(
        scenario_id=work.scenario_id,
        cast=work.cast,
        seed=0,
        turns=tuple(turns),
        ending=Ending.turn_limit,
        reason="turn_limit",
    )
    ended = NOON + timedelta(minutes=work.repeat)
    store.add_episode(
        work, 1, episode, scenario_name=TICKET.name, family=TICKET.family, started=NOON, ended=ended
    )
    return work.episode_id(1)


def test_actions_with_what_was_nearest_before(store: Store) -> None:
    first, second, later = begin(store, repeats=3)
    before = add(store, first, [UP, LEFT])
    this = add(store, second, [RIGHT, None, (2.0, 0.0), UP])
    add(store, later, [RIGHT])  # came afterwards, and so is not looked at
    (found,) = read_steered_seats(store, store.episode(this))
    assert (found.seat, found.planner_id, found.actions_compared) == ("seller", "p1", 2)
    # cosines of the three pairs: 1, 0, 0
    assert found.dispersion == pytest.approx(1 - 1 / 3)
    one, two, three = found.steps
    assert (one.number, two.number, three.number) == (0, 2, 3)
    assert one.step_distance is None
    assert (two.step_distance, three.step_distance) == pytest.approx((0, 1))
    assert (two.norm, two.action) == (2.0, (2.0, 0.0))
    assert [(near.episode_id, near.turn, near.cosine) for near in one.nearest] == [
        (before, 0, 0),
        (before, 1, -1),
    ]
    assert (two.nearest[0].episode_id, two.nearest[0].turn) == (this, 0)
    assert two.nearest[0].cosine == pytest.approx(1)
    assert (three.nearest[0].episode_id, three.nearest[0].text) == (before, "line 0.0")
    assert len(three.nearest) == 3


def test_other_planners_runs_and_sizes_are_not_looked_at(store: Store) -> None:
    first, second, third = begin(store, repeats=3)
    add(store, first, [UP], planner="another")
    (other,) = begin(store, run="another", repeats=1)
    add(store, other, [UP])
    add(store, second, [(1.0, 1.0)])
    this = add(store, third, [UP])
    (found,) = read_steered_seats(store, store.episode(this))
    assert found.actions_compared == 1


def test_nothing_is_steered_where_only_states_are_recorded(store: Store) -> None:
    (work, *_) = begin(store)
    this = add(store, work, [None, None])
    assert read_steered_seats(store, store.episode(this)) == []
