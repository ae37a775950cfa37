"""Runs and episodes of the world that pages show, and texts that try to be more than texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from simworld.core.episode import Act, CheckResult, Ending, Episode, Turn, WorkItem
from simworld.core.errors import Failure
from simworld.core.scenario import Scenario
from store import AgentRecord, PlannedItem, RunRecord, Store

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCRIPT = "<script>document.title='taken'</script>"
BROKEN = (
    "\"'><img src=x onerror=\"document.title='taken'\"> {{ 987 * 1000 }} '; DROP TABLE episodes; --"
)
CONTROLS = "before\x1b[31m\u202eafter\x07"
AGENTS = (
    AgentRecord(id="a-plain", name="plain", spec={"model": "none"}),
    AgentRecord(
        id="a-steered",
        name="steered",
        spec={
            "model": "none",
            "steering": {
                "planner": "p1-0123",
                "ways": [
                    {"words": "thank: “Thank you.”", "action": [4.0] + [0.0] * 15},
                    {"words": BROKEN, "action": [0.0] * 15 + [4.0]},
                ],
            },
        },
    ),
    AgentRecord(id=f"a-{SCRIPT}", name=f"agent{BROKEN}", spec={SCRIPT: BROKEN}),
)


def begin(
    store: Store,
    run: str,
    scenario: Scenario,
    cast: Sequence[str],
    repeats: int,
    agents: Sequence[AgentRecord] = AGENTS,
) -> list[WorkItem]:
    seats = {seat.name: agent for seat, agent in zip(scenario.seats, cast, strict=True)}
    items = [
        WorkItem(run=run, scenario_id=scenario.id, cast=seats, repeat=repeat)
        for repeat in range(repeats)
    ]
    planned = [
        PlannedItem(item=item, scenario_name=scenario.name, family=scenario.family)
        for item in items
    ]
    record = RunRecord(
        name=run, seed=7, code_version="0.1", created=NOON, settings={"repeats": repeats}
    )
    store.begin_run(record, planned, [scenario], agents)
    return items


def add(
    store: Store,
    item: WorkItem,
    scenario: Scenario,
    acts: Sequence[Act],
    failure: Failure | None = None,
) -> str:
    episode = Episode(
        scenario_id=scenario.id,
        cast=item.cast,
        seed=item.repeat,
        turns=tuple(Turn(index=index, acts=(act,)) for index, act in enumerate(acts)),
        ending=Ending.failed if failure else Ending.turn_limit,
        reason=failure.kind if failure else "turn_limit",
        checks=(CheckResult(name="price", holds=True, value=60.0, turn=1),),
        failure=failure,
    )
    store.add_episode(
        item,
        1,
        episode,
        scenario_name=scenario.name,
        family=scenario.family,
        started=NOON,
        ended=NOON + timedelta(minutes=item.repeat + 1),
    )
    return item.episode_id(1)
