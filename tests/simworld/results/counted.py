"""Sums and games of single scores, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

import numpy as np

from simworld.results.games import GameCounts, count_games
from simworld.results.seat_scores import SeatScore, to_score_tables


def count(scores: Iterable[SeatScore], ties: Mapping[str, float] | None = None) -> GameCounts:
    """The counts of scores; those of a scenario stand together, and are a part."""
    of_scenarios = groupby(scores, key=lambda score: score.scenario)
    return count_games((part for _, held in of_scenarios for part in to_score_tables(held)), ties)


def sums(counted: GameCounts) -> dict[tuple[str, str, str], tuple[float, int]]:
    """(measure, agent, family) → the sum of its scores, and how many there are."""
    return {
        (counted.measures[m], counted.agents[k], counted.families[f]): (
            float(counted.score_sums[f, k, m]),
            int(counted.score_counts[f, k, m]),
        )
        for f, k, m in np.argwhere(counted.score_counts).tolist()
    }


def games(counted: GameCounts) -> dict[tuple[str, str, str, str], tuple[int, int, int]]:
    """(measure, first, second, family) → games won by the first, tied and lost, where they met;
    first < second."""
    met = counted.wins + counted.wins.swapaxes(1, 2) + counted.ties
    return {
        (counted.measures[m], counted.agents[i], counted.agents[j], counted.families[f]): (
            int(counted.wins[f, i, j, m]),
            int(counted.ties[f, i, j, m]),
            int(counted.wins[f, j, i, m]),
        )
        for f, i, j, m in np.argwhere(met).tolist()
        if i < j
    }
