"""Ratings from games: Bradley–Terry with ties, a ridge, and intervals that resample whole families.

The model with ties is Davidson's (1970): agents have strengths θ, and

    P(i beats j) ∝ exp(θ_i),  P(j beats i) ∝ exp(θ_j),  P(tie) ∝ ν exp((θ_i + θ_j) / 2),

which without ties is Bradley and Terry's (1952). All games are fitted at once, so their order
cannot matter, as it does for Elo's updates. Intervals are percentiles of a bootstrap, taken as far
out as `stats.tail_probability` says; where the games bound a rating on one side only, as that of an
agent that always wins, they are one-sided (see `find_unbounded`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.core.seeding import derive_seed
from simworld.stats.bradley_terry import fit_bradley_terry
from simworld.stats.intervals import bootstrap_counts, tail_probability
from simworld.stats.one_sided_ratings import find_unbounded, likelihood_bounds, transitive_closure

POINTS_PER_THETA = 400 / np.log(10)  # per unit of θ: 400 points are odds of ten to one
MEAN_POINTS = 1000.0
Numbers = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """An agent's strength in points.

    `low` is -inf and `high` is inf where the games have no such bound: `points` are then finite by
    the ridge alone. Else they are None where fewer than two families give no interval.
    """

    agent: str
    points: float
    low: float | None
    high: float | None
    games: int
    wins: int
    ties: int

    @property
    def unbounded(self) -> bool:
        """Whether the games leave one side of it open, or both."""
        return self.high == math.inf or self.low == -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """All agents, the best first."""

    ratings: tuple[Rating, ...]
    # agents that are linked by games; with more than one group, ratings compare only within
    groups: tuple[tuple[str, ...], ...]


def fit_ratings(
    agents: Sequence[str],
    wins: Numbers,
    ties: Numbers,
    *,
    anchor: str | None = None,
    ridge: float = 0.1,
    level: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> Ratings:
    """Maximum likelihood with a ridge, and percentile bootstrap intervals over families.

    Args:
        agents: names in order; each has a game.
        wins: (families, K, K) won by the agent of the row against that of the column; each family
            has a game.
        ties: (families, K, K) symmetric.
        anchor: the agent that has 1000 points by definition, so that tournaments compare; else the
            mean is 1000.
        ridge: precision of a normal prior on each θ (and on log ν) around 0; keeps an agent that
            always wins finite.
        level: of the intervals, in (0, 1).
        rounds: bootstrap resamples.
        seed: of the resampling.

    Raises:
        ValueError: an anchor without games, a ridge ≤ 0.
    """
    if ridge <= 0:
        raise ValueError(f"the ridge is {ridge}; it must be above 0")
    if anchor is not None and anchor not in agents:
        raise ValueError(
            f"the anchor {anchor!r} has no games; it must be one of {', '.join(agents)}"
        )
    families = len(wins)
    won, tied = wins.sum(0), ties.sum(0)
    one, other = np.triu_indices(len(agents), 1)
    # By family and pair of agents: won by the one, won by the other, tied.
    counts = np.stack([wins[:, one, other], wins[:, other, one], ties[:, one, other]]).astype(
        np.float64
    )
    theta, nu = fit_bradley_terry(counts.sum(1, keepdims=True), len(agents), ridge)
    points = _points_from_theta(theta, agents, anchor)[0]
    low: Sequence[float | None] = [None] * len(agents)
    high: Sequence[float | None] = [None] * len(agents)
    if families > 1:
        weights = bootstrap_counts(families, rounds, derive_seed("ratings", seed))
        resampled = _points_from_theta(
            fit_bradley_terry(weights @ counts, len(agents), ridge, warm_start=(theta, nu))[0],
            agents,
            anchor,
        )
        tail = tail_probability(families, level)
        quantiles = np.quantile(resampled, [tail, 1 - tail], axis=0)
        low, high = (list(map(float, ends)) for ends in quantiles)
    low, high = _with_open_ends(
        low,
        high,
        points,
        counts,
        (won + tied) > 0,
        None if anchor is None else agents.index(anchor),
    )
    ratings = [
        Rating(
            agent=agent,
            points=float(points[i]),
            low=low[i],
            high=high[i],
            games=int(won[i].sum() + won[:, i].sum() + tied[i].sum()),
            wins=int(won[i].sum()),
            ties=int(tied[i].sum()),
        )
        for i, agent in enumerate(agents)
    ]
    return Ratings(
        ratings=tuple(sorted(ratings, key=lambda rating: (-rating.points, rating.agent))),
        groups=_linked_groups(agents, (won + won.T + tied) > 0),
    )


def _points_from_theta(theta: Floats, agents: Sequence[str], anchor: str | None) -> Floats:
    zero = theta.mean(1, keepdims=True) if anchor is None else theta[:, [agents.index(anchor)]]
    points: Floats = MEAN_POINTS + POINTS_PER_THETA * (theta - zero)
    return points


def _with_open_ends(
    low: Sequence[float | None],
    high: Sequence[float | None],
    points: Floats,
    counts: Floats,
    took_points: NDArray[np.bool_],
    anchor: int | None,
) -> tuple[list[float | None], list[float | None]]:
    """The ends of intervals, infinite where the games have no bound; the other end is then that of
    the likelihood.
    """
    no_upper, no_lower, reference = find_unbounded(took_points, anchor)
    lows = [-math.inf if open_ else end for open_, end in zip(no_lower.tolist(), low, strict=True)]
    highs = [math.inf if open_ else end for open_, end in zip(no_upper.tolist(), high, strict=True)]
    one_sided = np.flatnonzero(no_upper ^ no_lower)
    if counts.shape[1] > 1 and len(one_sided):
        sides = np.where(no_upper[one_sided], -1, 1).tolist()
        ends = reference[one_sided] @ points + POINTS_PER_THETA * likelihood_bounds(
            counts, one_sided.tolist(), sides, reference[one_sided]
        )
        for i, side, end in zip(one_sided.tolist(), sides, ends.tolist(), strict=True):
            (lows if side < 0 else highs)[i] = end
    return lows, highs


def _linked_groups(agents: Sequence[str], met: NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
    """The agents by connected component of the graph of games, in order of name."""
    linked = dict.fromkeys(tuple(np.flatnonzero(row).tolist()) for row in transitive_closure(met))
    return tuple(tuple(agents[i] for i in members) for members in linked)
