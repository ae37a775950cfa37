"""How an episode was steered: each action, how far actions differ, and which earlier ones were
nearest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.steering.named_ways import NearWay, unit_rows
from simworld.results.language_quality import dispersion
from simworld.results.planner_ways import act_ways
from store import Store, StoredEpisode, UsedAction

NEAREST_ACTIONS = 3
EARLIER_EPISODES = 64  # episodes of the run that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestAction:
    """An earlier action."""

    episode_id: str
    turn: int  # from 0
    seat: str
    text: str  # what was said under it
    cosine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeredAct:
    """One action as it was used."""

    number: int  # of the act in the episode, from 0
    turn: int  # from 0
    action: tuple[float, ...]
    norm: float
    noisy: bool
    text: str
    # cosine distance from the seat's action before, 0 to 2; None for the first
    step_distance: float | None
    nearest: tuple[NearestAction, ...]  # the nearest first
    # the ways that it is nearest to, the nearest first; empty where the planner knows none
    ways: tuple[NearWay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeredSeat:
    """One seat's actions by one planner."""

    seat: str
    planner_id: str
    steps: tuple[SteeredAct, ...]
    dispersion: float | None  # mean cosine distance of two actions; None for a single one
    # earlier actions that the nearest were sought among, those of this episode left out
    actions_compared: int

    @property
    def has_ways(self) -> bool:
        """Whether its planner knows ways of replying."""
        return any(step.ways for step in self.steps)


def read_steered_seats(store: Store, stored: StoredEpisode) -> list[SteeredSeat]:
    """The actions of an episode by seat and planner; empty where nothing was steered.

    Nearest are sought among the seat's own earlier actions here and those of the same planner in
    the last 64 episodes of the run that ended before this one.
    """
    grouped: dict[tuple[str, str], list[tuple[int, UsedAction]]] = defaultdict(list)
    number = 0
    for turn in stored.episode.turns:
        for act in turn.acts:
            if act.plan is not None and act.plan.action is not None:
                used = UsedAction(
                    episode_id=stored.id,
                    turn=turn.index,
                    seat=act.seat,
                    text=act.action.text,
                    action=act.plan.action,
                    noisy=act.plan.noisy,
                )
                grouped[act.seat, act.plan.planner_id].append((number, used))
            number += 1
    ways = act_ways(store, stored)
    return [_seat(store, stored, *key, steps, ways) for key, steps in grouped.items()]


def _seat(
    store: Store,
    stored: StoredEpisode,
    seat: str,
    planner: str,
    steps: Sequence[tuple[int, UsedAction]],
    ways: Mapping[int, tuple[NearWay, ...]],
) -> SteeredSeat:
    size = steps[0][1].action.size
    earlier = [
        used
        for used in store.earlier_actions(stored.id, planner, EARLIER_EPISODES)
        if used.action.size == size
    ]
    same = [(number, used) for number, used in steps if used.action.size == size]
    known = (*earlier, *(used for _, used in same))
    unit = unit_rows(np.array([used.action.ravel() for used in known]).reshape(-1, size))
    acts = []
    for i, (number, used) in enumerate(same):
        index = len(earlier) + i
        cosines = unit[:index] @ unit[index]
        nearest = np.argsort(-cosines, kind="stable")[:NEAREST_ACTIONS]
        candidates = (*earlier, *(other for _, other in same[:i]))
        acts.append(
            SteeredAct(
                number=number,
                turn=used.turn,
                action=tuple(used.action.ravel().tolist()),
                norm=float(np.linalg.norm(used.action)),
                noisy=used.noisy,
                text=used.text,
                step_distance=None if i == 0 else float(1 - unit[index] @ unit[index - 1]),
                nearest=tuple(_nearest_action(candidates[j], float(cosines[j])) for j in nearest),
                ways=ways.get(number, ()),
            )
        )
    return SteeredSeat(
        seat=seat,
        planner_id=planner,
        steps=tuple(acts),
        dispersion=dispersion(np.stack([used.action.ravel() for _, used in same])),
        actions_compared=len(earlier),
    )


def _nearest_action(used: UsedAction, cosine: float) -> NearestAction:
    return NearestAction(
        episode_id=used.episode_id, turn=used.turn, seat=used.seat, text=used.text, cosine=cosine
    )
