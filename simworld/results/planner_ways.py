"""The ways of replying that a stored planner knows: as the agent's stored spec has them, or those
of the shipped planner of that id.
"""

from __future__ import annotations

from agents import library_planner
from agents.steering.named_ways import NamedWay, NearWay, named_ways, nearest_ways, ways_from_spec
from simworld.core.episode import Act
from simworld.core.errors import InputError
from store import Store, StoredEpisode


class PlannerWays:
    """Finds the ways of planners in a store, each once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str, str], tuple[NamedWay, ...]] = {}

    def of(self, agent_id: str, planner_id: str) -> tuple[NamedWay, ...]:
        """The ways of the planner that steered an agent; none where nobody knows them any more."""
        key = agent_id, planner_id
        if key not in self._found:
            self._found[key] = self._find(agent_id, planner_id)
        return self._found[key]

    def nearest(self, act: Act, agent_id: str, count: int = 2) -> tuple[NearWay, ...]:
        """The ways that the action of an act is nearest to; none where it has no action, or its
        planner no ways.
        """
        if act.plan is None or act.plan.action is None:
            return ()
        return nearest_ways(act.plan.action, self.of(agent_id, act.plan.planner_id), count)

    def _find(self, agent_id: str, planner_id: str) -> tuple[NamedWay, ...]:
        try:
            spec = self._store.agent(agent_id).spec
        except InputError:
            spec = {}
        steering = spec.get("steering")
        is_same = isinstance(steering, dict) and steering.get("planner") == planner_id
        if is_same and (ways := ways_from_spec(spec)):
            return ways
        shipped = library_planner(planner_id)
        return () if shipped is None else named_ways(shipped.info, shipped.arrays)


def act_ways(store: Store, stored: StoredEpisode, count: int = 2) -> dict[int, tuple[NearWay, ...]]:
    """Number of the act in the episode, from 0 → the ways that its action is nearest to; acts
    without are left out.
    """
    known, cast = PlannerWays(store), stored.episode.cast
    found = {
        number: known.nearest(act, cast[act.seat], count)
        for number, act in enumerate(stored.episode.acts)
        if act.seat in cast
    }
    return {number: ways for number, ways in found.items() if ways}
