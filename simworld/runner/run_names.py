"""Names of runs that were given none: made of content, so that it finds its run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from simworld.core.scenario import Scenario
from simworld.runner.run_plan import Cast, RunPlan
from store import Store, open_store


def named_plan(
    plan: RunPlan, casts: Sequence[Cast], ids: Mapping[str, str], db: str | None
) -> RunPlan:
    """The plan under its default name; under the one that it got before, if such a run is in the
    database.

    Args:
        plan: without a name.
        casts: its casts as they were written, which earlier versions named runs after.
        ids: of the agents, by name.
        db: the database; None where there is none yet.
    """
    earlier = legacy_run_name(plan.scenarios, casts, plan.seed)
    if db is not None:
        with open_store(db) as store:
            if run_matches_plan(store, earlier, plan, ids):
                return replace(plan, run=earlier)
    return replace(plan, run=default_run_name(plan, ids))


def default_run_name(plan: RunPlan, ids: Mapping[str, str]) -> str:
    """`run-` and eight hex digits of the seed and of who plays whom in which scenario, each by name
    and content.

    Repeats are left out, so that the same command with more of them adds to its run. `ids` are
    those of the agents, by name.
    """
    seatings = {
        json.dumps(
            [
                scenario.name,
                scenario.id,
                sorted((seat, name, ids[name]) for seat, name in seating.items()),
            ]
        )
        for scenario, seating in plan.seatings()
    }
    return _hashed_run_name("\n".join([*sorted(seatings), str(plan.seed)]))


def legacy_run_name(scenarios: Sequence[Scenario], casts: Sequence[Cast], seed: int) -> str:
    """The name that such a run had in earlier versions, made of the names as they were typed."""
    names = sorted({scenario.name for scenario in scenarios})
    cast = sorted(repr((cast.by_order, sorted(cast.by_seat.items()))) for cast in casts)
    return _hashed_run_name("\n".join([*names, *cast, str(seed)]))


def run_matches_plan(store: Store, run: str, plan: RunPlan, ids: Mapping[str, str]) -> bool:
    """Whether a stored run has episodes of this plan, and none whose content has changed."""
    if all(
        summary.run.name != run or summary.run.seed != plan.seed
        for summary in store.run_summaries()
    ):
        return False
    our_casts = {
        (e.item.scenario_id, tuple(sorted(e.item.cast.items()))) for e in plan.planned_episodes(ids)
    }
    planned_ids = {scenario.name: scenario.id for scenario in plan.scenarios}
    stored_items = store.planned_items(run)
    if any(
        planned_ids.get(item.scenario_name, item.item.scenario_id) != item.item.scenario_id
        for item in stored_items
    ):
        return False
    return any(
        (item.item.scenario_id, tuple(sorted(item.item.cast.items()))) in our_casts
        for item in stored_items
    )


def _hashed_run_name(text: str) -> str:
    return f"run-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
