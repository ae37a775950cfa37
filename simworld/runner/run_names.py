"""The name of a run that was given none: made of what it means, so that the same content finds its
run however it is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from simworld.core.scenario import Scenario
from simworld.runner.run_plan import Cast, RunPlan
from store import Store


def default_run_name(plan: RunPlan, ids: Mapping[str, str]) -> str:
    """`run-` and eight hex digits of the seed and of who plays whom in which scenario, each by name
    and content.

    Repeats are left out, so that the same command with more of them adds to its run. `ids` are
    those of the agents, by name.
    """
    casts = {
        json.dumps(
            [
                scenario.name,
                scenario.id,
                sorted((seat, name, ids[name]) for seat, name in seating.items()),
            ]
        )
        for scenario, seating in plan.seatings()
    }
    return _name("\n".join([*sorted(casts), str(plan.seed)]))


def earlier_run_name(scenarios: Sequence[Scenario], casts: Sequence[Cast], seed: int) -> str:
    """The name that such a run got before: of the names as they were typed, so that two ways of
    writing them were two runs.
    """
    names = sorted({scenario.name for scenario in scenarios})
    cast = sorted(repr((cast.by_order, sorted(cast.by_seat.items()))) for cast in casts)
    return _name("\n".join([*names, *cast, str(seed)]))


def is_of_this_plan(store: Store, run: str, plan: RunPlan, ids: Mapping[str, str]) -> bool:
    """Whether a stored run has episodes of this plan, and nothing in it that has other content
    now.
    """
    if all(
        summary.run.name != run or summary.run.seed != plan.seed
        for summary in store.run_summaries()
    ):
        return False
    ours = {(e.item.scenario_id, tuple(sorted(e.item.cast.items()))) for e in plan.episodes(ids)}
    now = {scenario.name: scenario.id for scenario in plan.scenarios}
    stored = store.planned_items(run)
    if any(
        now.get(planned.scenario_name, planned.item.scenario_id) != planned.item.scenario_id
        for planned in stored
    ):
        return False
    return any(
        (planned.item.scenario_id, tuple(sorted(planned.item.cast.items()))) in ours
        for planned in stored
    )


def _name(text: str) -> str:
    return f"run-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
