"""Games one by one, and the ratings that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simworld.stats.ratings import Ratings, fit_ratings


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """Two agents compared under equal conditions, once or with the same result several times."""

    family: str
    first: str
    second: str
    result: float  # 1: the first wins, 0: the second, 0.5: a tie
    times: int = 1


def rate(games: Sequence[Game], **settings: Any) -> Ratings:
    """The ratings of the agents in these games."""
    agents = sorted({name for game in games for name in (game.first, game.second)})
    families = sorted({game.family for game in games})
    wins, ties = np.zeros((2, len(families), len(agents), len(agents)))
    for game in games:
        f, i, j = (
            families.index(game.family),
            agents.index(game.first),
            agents.index(game.second),
        )
        if game.result == 0.5:
            ties[f, i, j] += game.times
            ties[f, j, i] += game.times
        else:
            wins[(f, i, j) if game.result == 1 else (f, j, i)] += game.times
    return fit_ratings(agents, wins, ties, **settings)
