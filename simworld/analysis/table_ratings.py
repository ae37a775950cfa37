"""Ratings from tables of three and more: the ranks within each episode, by the Plackett–Luce model of openskill.

The seats of one episode have different goals, so their scores compare only after the effect of family and seat is taken off: the
mean score of that seat in that family. An agent with several seats of an episode counts once, with the mean of what is left. The
library's ratings depend on the order of the games (it updates one by one); here they are always fed in an order drawn from the ids
of the episodes, so they depend on what was played and not on when.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simworld.analysis.games import SeatScore
from simworld.core.errors import MissingExtra
from simworld.core.seeding import derive_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRating:
    """An agent at tables of three and more, in openskill's units: everybody begins at 25 ± 25/3."""

    agent: str
    mu: float
    sigma: float  # the standard deviation of what is believed of mu
    episodes: int  # in which it was ranked


def rate_tables(scores: Iterable[SeatScore], *, measure: str, digits: int = 9) -> tuple[TableRating, ...]:
    """The ratings, the best first; empty where no two agents share an episode of three or more seats.

    Args:
        scores: of any scenarios; those with fewer than three seats are passed over.
        measure: by which agents are ranked.
        digits: to which scores are rounded before they are ranked: equal ones share a rank.

    Raises:
        MissingExtra: openskill is not installed.
    """
    try:
        from openskill.models import PlackettLuce
    except ImportError:
        raise MissingExtra("rating scenarios with three and more seats", "ratings") from None
    tables: dict[str, dict[str, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    effects: dict[str, list[float]] = defaultdict(list)
    order: dict[str, int] = {}
    for score in scores:
        if len(score.partners) < 2 or measure not in score.values:
            continue
        place = f"{score.family}\0{score.seat}"
        effects[place].append(score.values[measure])
        tables[score.episode][score.agent].append((place, score.values[measure]))
        order[score.episode] = derive_seed("tables", score.episode)
    means = {place: math.fsum(values) / len(values) for place, values in effects.items()}
    model = PlackettLuce()
    ratings: dict[str, Any] = defaultdict(model.rating)
    episodes: dict[str, int] = defaultdict(int)
    for episode in sorted(tables, key=lambda id_: (order[id_], id_)):
        left = {
            agent: round(math.fsum(value - means[place] for place, value in seats) / len(seats), digits)
            for agent, seats in sorted(tables[episode].items())
        }
        if len(left) < 2:
            continue
        agents = list(left)
        new = model.rate([[ratings[agent]] for agent in agents], scores=[left[agent] for agent in agents])
        for agent, (rating,) in zip(agents, new, strict=True):
            ratings[agent] = rating
            episodes[agent] += 1
    found = [
        TableRating(agent=agent, mu=float(ratings[agent].mu), sigma=float(ratings[agent].sigma), episodes=count)
        for agent, count in episodes.items()
    ]
    return tuple(sorted(found, key=lambda rating: (-rating.mu, rating.agent)))
