"""Two agents in one scenario, episode beside episode: both in the same seat, with the same
partners, in the same repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simworld.results.last_attempts import last_attempts
from store import EpisodeSummary, SeatRecord, Store

MAX_EPISODES = 2000  # episodes of each agent that are looked at, the latest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePair:
    """Two episodes that differ in one agent only."""

    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    first: EpisodeSummary
    second: EpisodeSummary


def pair_episodes(
    store: Store,
    run: str,
    scenario: str,
    first: str,
    second: str,
    *,
    is_compared: Callable[[EpisodeSummary, SeatRecord], bool] = lambda summary, seat: True,
) -> list[EpisodePair]:
    """The cells that both agents have played, by seat, partners and repeat; of each its last
    attempt.

    Args:
        store: where they played.
        run: its name.
        scenario: id.
        first: name of the one.
        second: name of the other.
        is_compared: whether a seat of an episode is compared.
    """
    sides = [_by_cell(store, run, scenario, agent, is_compared) for agent in (first, second)]
    pairs = [
        EpisodePair(
            seat=seat, partners=partners, repeat=repeat, first=sides[0][cell], second=sides[1][cell]
        )
        for cell in sides[0].keys() & sides[1].keys()
        for seat, partners, repeat in [cell]
    ]
    order = {seat.seat: i for pair in pairs[:1] for i, seat in enumerate(pair.first.seats)}
    return sorted(pairs, key=lambda pair: (order.get(pair.seat, 0), pair.partners, pair.repeat))


def _by_cell(
    store: Store,
    run: str,
    scenario: str,
    agent: str,
    is_compared: Callable[[EpisodeSummary, SeatRecord], bool],
) -> dict[tuple[str, tuple[str, ...], int], EpisodeSummary]:
    summaries = store.episode_summaries(run=run, scenario=scenario, agent=agent, limit=MAX_EPISODES)
    return {
        (own.seat, partners, summary.repeat): summary
        for summary in last_attempts(summaries).values()
        for own in summary.seats
        if own.agent_name == agent and is_compared(summary, own)
        for partners in [tuple(s.agent_name for s in summary.seats if s.seat != own.seat)]
    }
