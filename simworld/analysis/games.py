"""What standings are computed from: sums of scores, and counts of games, by family."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSum:
    """The scores of one agent in one family on one dimension."""

    dimension: str
    agent: str
    family: str
    total: float  # of the scores
    squares: float  # of the squared scores
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GameCount:
    """The games between two agents in one family on one dimension; `first` < `second`."""

    dimension: str
    first: str
    second: str
    family: str
    wins: int  # of the first
    ties: int
    losses: int
