"""Ratings from tables of three and more: the ranks within each episode, by the Plackett–Luce model of openskill.

The seats of one episode have different goals, so their scores compare only after the effect of family and seat is taken off: the
mean score of that seat in that family. An agent with several seats of an episode counts once, with the mean of what is left.

The library updates ratings one by one, so they depend on the order of the games; here these come in the order of the episodes' ids,
which are hashes, so that ratings depend on what was played and not on when. And it forgets: its σ settles after some five hundred
games of an agent, and later ones push out earlier ones. So of very many episodes only the first in that order are ranked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from simworld.analysis.cells import CellScores, combined
from simworld.core.errors import MissingExtra

ENOUGH = (
    250  # episodes per agent: σ has settled (6 agents at tables of three: 1.63 after 1,500 episodes, 1.59 after 20,000)
)
DIGITS = 9  # to which scores are rounded before they are ranked: equal ones share a rank

Place = tuple[str, int]  # family and seat


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRating:
    """An agent at tables of three and more, in openskill's units: everybody begins at 25 ± 25/3."""

    agent: str
    mu: float
    sigma: float  # the standard deviation of what is believed of mu
    episodes: int  # in which it was ranked


class Tables:
    """Scores at tables of three and more as they are read; memory holds those of the episodes that are ranked."""

    def __init__(self, measure: str) -> None:
        self._measure = measure
        self._sums: dict[Place, list[tuple[float, int]]] = defaultdict(list)
        self._held: dict[int, list[tuple[str, Place, float]]] = {}  # episode → agent, place and score of each seat

    def add(self, part: CellScores) -> None:
        """Takes in the scores of a part, if it is of three seats and more."""
        if part.seats < 3 or self._measure not in part.measures:
            return
        values = part.values[:, part.measures.index(self._measure)]
        rows = np.flatnonzero(~np.isnan(values))
        names = [family for family, _, _ in part.places]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        family = np.array([numbers[name] for name in names])[part.place[rows]]
        first, at = combined(family, part.seat[rows])
        places = [
            (list(numbers)[f], s) for f, s in zip(family[first].tolist(), part.seat[rows][first].tolist(), strict=True)
        ]
        for place, total, n in zip(
            places, np.bincount(at, values[rows]).tolist(), np.bincount(at).tolist(), strict=True
        ):
            self._sums[place].append((total, n))
        among = sorted({*self._held, *np.unique(part.episode[rows]).tolist()})[: ENOUGH * len(part.agents)]
        ranked = np.isin(part.episode[rows], np.array(among, dtype=np.uint64))
        for row, where in zip(rows[ranked].tolist(), at[ranked].tolist(), strict=True):
            seat = (part.agents[part.agent[row]], places[where], float(values[row]))
            self._held.setdefault(int(part.episode[row]), []).append(seat)
        self._held = {episode: self._held[episode] for episode in among}

    def ratings(self) -> tuple[TableRating, ...]:
        """The ratings, the best first; empty where no two agents share an episode of three or more seats.

        Raises:
            MissingExtra: openskill is not installed.
        """
        try:
            from openskill.models import PlackettLuce
        except ImportError:
            raise MissingExtra("rating scenarios with three and more seats", "ratings") from None
        means = {place: math.fsum(t for t, _ in sums) / sum(n for _, n in sums) for place, sums in self._sums.items()}
        model = PlackettLuce()
        ratings: dict[str, Any] = defaultdict(model.rating)
        episodes: dict[str, int] = defaultdict(int)
        for _, seated in sorted(self._held.items()):
            by_agent: dict[str, list[float]] = defaultdict(list)
            for agent, place, value in sorted(seated):
                by_agent[agent].append(value - means[place])
            left = {agent: round(math.fsum(above) / len(above), DIGITS) for agent, above in by_agent.items()}
            if len(left) < 2:
                continue
            new = model.rate([[ratings[agent]] for agent in left], scores=list(left.values()))
            for agent, (rating,) in zip(left, new, strict=True):
                ratings[agent] = rating
                episodes[agent] += 1
        found = [
            TableRating(agent=agent, mu=float(ratings[agent].mu), sigma=float(ratings[agent].sigma), episodes=count)
            for agent, count in episodes.items()
        ]
        return tuple(sorted(found, key=lambda rating: (-rating.mu, rating.agent)))
