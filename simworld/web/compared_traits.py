"""What marks one of two agents beside the other, as pages show it."""

from __future__ import annotations

from simworld.core.episode import Ending
from simworld.results.language_quality import EpisodeSeats
from simworld.results.planner_ways import PlannerWays
from simworld.results.traits import TraitTable, compare_traits
from simworld.web.app_state import AppState
from simworld.web.run_and_judge import RunAndJudge
from store import Store

MAX_EPISODES = 200  # of an agent, that are read


def compared_traits(
    state: AppState, store: Store, chosen: RunAndJudge, first: str, second: str
) -> TraitTable:
    """What the first of two agents of a run says more, and less, often than the second, in up to
    200 episodes of each.
    """
    return state.cached(
        ("traits", chosen.run, first, second),
        lambda: compare_traits(
            _seats(store, chosen, first), _seats(store, chosen, second), PlannerWays(store)
        ),
        version=store.cells_fingerprint(chosen.run),
    )


def _seats(store: Store, chosen: RunAndJudge, agent: str) -> EpisodeSeats:
    # Ids are hashes: the first are a random sample, the same each time.
    episodes = store.episodes(run=chosen.run, agent=agent, limit=MAX_EPISODES)
    return [
        (stored.episode, seat.seat)
        for stored in episodes
        if stored.episode.ending is not Ending.failed
        for seat in stored.summary.seats
        if seat.agent_name == agent and chosen.is_compared(stored.summary, seat)
    ]
