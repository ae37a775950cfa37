"""Ratings from tables of three and more: the ranks within each episode, by the Plackett–Luce model
of openskill.

The seats of one episode have different goals, so their scores compare only after the effect of
family and seat is taken off: the mean score of that seat in that family. An agent with several
seats of an episode counts once, with the mean of what is left.

The library updates ratings one by one, so they depend on the order of the games; here these come in
the order of the episodes' ids, which are hashes, so that ratings depend on what was played and not
on when. And it forgets: its σ settles after some five hundred games of an agent, and later ones
push out earlier ones. So of very many episodes only the first in that order are ranked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from simworld.core.errors import MissingExtra
from simworld.results.seat_scores import SeatScores, unique_rows

# σ has settled (6 agents, three at a table: 1.65 after 900 episodes, 1.59 after 20,000)
EPISODES_PER_AGENT = 150
RANK_DIGITS = 9  # to which scores are rounded before they are ranked: equal ones share a rank

FamilySeat = tuple[str, int]  # family and seat


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplayerRating:
    """An agent at tables of three and more, in openskill's units: everybody begins at 25 ± 25/3."""

    agent: str
    mu: float
    sigma: float  # the standard deviation of what is believed of mu
    episodes: int  # in which it was ranked


class MultiplayerRater:
    """Scores at tables of three and more as they are read; memory holds those of the episodes that
    are ranked.
    """

    def __init__(self, measure: str) -> None:
        self._measure = measure
        self._sums_by_family_seat: dict[FamilySeat, list[tuple[float, int]]] = defaultdict(list)
        # episode, agent, place and score of each seat
        self._ranked_seats: list[tuple[int, str, FamilySeat, float]] = []
        self._max_episodes = 0  # episodes
        self._last_episode = 2**64  # the last one that is ranked

    def add_scores(self, table: SeatScores) -> None:
        """Takes in the scores of a part, if it is of three seats and more."""
        if table.seat_count < 3 or self._measure not in table.measures:
            return
        values = table.values[:, table.measures.index(self._measure)]
        rows = np.flatnonzero(~np.isnan(values))
        if not len(rows):
            return
        families = [family for family, _, _ in table.blocks]
        family_number = {name: number for number, name in enumerate(dict.fromkeys(families))}
        family = np.array([family_number[name] for name in families])[table.block[rows]]
        first, group = unique_rows(family, table.seat[rows])
        first_groups = zip(family[first].tolist(), table.seat[rows][first].tolist(), strict=True)
        family_seats = [(list(family_number)[number], seat) for number, seat in first_groups]
        sums = np.bincount(group, values[rows]).tolist(), np.bincount(group).tolist()
        for family_seat, total, n in zip(family_seats, *sums, strict=True):
            self._sums_by_family_seat[family_seat].append((total, n))
        self._max_episodes = max(self._max_episodes, EPISODES_PER_AGENT * len(table.agents))
        episodes = np.unique(table.episode[rows])
        if len(episodes) > self._max_episodes:
            self._last_episode = min(self._last_episode, int(episodes[self._max_episodes - 1]))
        ranked = table.episode[rows] <= self._last_episode
        columns = (table.episode[rows], table.agent[rows], group, values[rows])
        for episode, agent, number, value in zip(
            *(column[ranked].tolist() for column in columns), strict=True
        ):
            self._ranked_seats.append((episode, table.agents[agent], family_seats[number], value))
        self._drop_later_episodes()

    def _drop_later_episodes(self) -> None:
        """Leaves out all episodes but the first."""
        episodes = sorted({episode for episode, *_ in self._ranked_seats})
        if len(episodes) > self._max_episodes:
            self._last_episode = episodes[self._max_episodes - 1]
            self._ranked_seats = [row for row in self._ranked_seats if row[0] <= self._last_episode]

    def ratings(self) -> tuple[MultiplayerRating, ...]:
        """The ratings, the best first; empty where no two agents share an episode of three or more
        seats.

        Raises:
            MissingExtra: openskill is not installed.
        """
        try:
            from openskill.models import PlackettLuce
        except ImportError:
            raise MissingExtra("rating scenarios with three and more seats", "ratings") from None
        seat_means = {
            family_seat: math.fsum(t for t, _ in sums) / sum(n for _, n in sums)
            for family_seat, sums in self._sums_by_family_seat.items()
        }
        model = PlackettLuce()
        ratings: dict[str, Any] = defaultdict(model.rating)
        episodes: dict[str, int] = defaultdict(int)
        for _, seats in groupby(sorted(self._ranked_seats), key=itemgetter(0)):
            by_agent: dict[str, list[float]] = defaultdict(list)
            for _, agent, family_seat, value in seats:
                by_agent[agent].append(value - seat_means[family_seat])
            gains = {
                agent: round(math.fsum(differences) / len(differences), RANK_DIGITS)
                for agent, differences in by_agent.items()
            }
            if len(gains) < 2:
                continue
            new = model.rate([[ratings[agent]] for agent in gains], scores=list(gains.values()))
            for agent, (rating,) in zip(gains, new, strict=True):
                ratings[agent] = rating
                episodes[agent] += 1
        rated = [
            MultiplayerRating(
                agent=agent,
                mu=float(ratings[agent].mu),
                sigma=float(ratings[agent].sigma),
                episodes=count,
            )
            for agent, count in episodes.items()
        ]
        return tuple(sorted(rated, key=lambda rating: (-rating.mu, rating.agent)))
