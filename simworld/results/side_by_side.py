"""Two agents in one scenario, episode beside episode: both in the same seat, with the same
partners, in the same repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simworld.results.last_attempts import last_attempts
from store import EpisodeSummary, SeatRecord, Store

MOST = 2000  # episodes of each agent that are looked at, the latest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePair:
    """Two episodes that differ in one agent only."""

    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    first: EpisodeSummary
    second: EpisodeSummary


def episode_pairs(
    store: Store,
    run: str,
    scenario: str,
    first: str,
    second: str,
    *,
    counts: Callable[[EpisodeSummary, SeatRecord], bool] = lambda summary, seat: True,
) -> list[EpisodePair]:
    """The cells that both agents have played, by seat, partners and repeat; of each its last
    attempt.

    Args:
        store: where they played.
        run: its name.
        scenario: id.
        first: name of the one.
        second: name of the other.
        counts: whether a seat of an episode is compared.
    """
    sides = [_cells(store, run, scenario, agent, counts) for agent in (first, second)]
    found = [
        EpisodePair(
            seat=seat, partners=partners, repeat=repeat, first=sides[0][key], second=sides[1][key]
        )
        for key in sides[0].keys() & sides[1].keys()
        for seat, partners, repeat in [key]
    ]
    order = {seat.seat: place for pair in found[:1] for place, seat in enumerate(pair.first.seats)}
    return sorted(found, key=lambda pair: (order.get(pair.seat, 0), pair.partners, pair.repeat))


def _cells(
    store: Store,
    run: str,
    scenario: str,
    agent: str,
    counts: Callable[[EpisodeSummary, SeatRecord], bool],
) -> dict[tuple[str, tuple[str, ...], int], EpisodeSummary]:
    found = store.episode_summaries(run=run, scenario=scenario, agent=agent, limit=MOST)
    return {
        (own.seat, partners, summary.repeat): summary
        for summary in last_attempts(found).values()
        for own in summary.seats
        if own.agent_name == agent and counts(summary, own)
        for partners in [tuple(s.agent_name for s in summary.seats if s.seat != own.seat)]
    }
