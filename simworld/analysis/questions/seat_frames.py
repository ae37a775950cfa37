"""The seats that were played, as frames: who sat where, whether it failed, and what a judge scored.

They are read from the cells that the store keeps up to date, a few hundred scenarios and repeats at
a time, so a hundred thousand episodes take a fraction of a second, and memory does not grow with
the store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simworld.analysis.questions.judge_choice import JudgeChoice
from simworld.analysis.questions.judge_measures import JudgeMeasure
from simworld.analysis.questions.query_source import QuerySource
from simworld.analysis.questions.scope import Scope
from simworld.core.measures import measure_names_by_judge
from simworld.results.score_reading import seat_values
from store import Cells

SEAT_COLUMNS = ("agent", "seat", "position", "run", "scenario", "family", "kind")
CELL_COLUMNS = ("scenario_id", "repeat", "partners")
ALL_COLUMN = "all"  # a column that is the same everywhere: to group by where no other is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunScenario:
    """A scenario in a run."""

    name: str
    kind: str


def seat_frames(
    source: QuerySource,
    scope: Scope,
    columns: Collection[str],
    judge: JudgeChoice | None = None,
    measures: Sequence[JudgeMeasure] = (),
) -> Iterator[pd.DataFrame]:
    """The seats of a scope in the last attempts at its work items; a row for each.

    Columns: `agent`, `family`, `episode` (64 bits of its id), `failed` (whether it did),
    `ALL_COLUMN`; those asked for; and each measure, NaN where there is no score.

    Args:
        source: where to ask.
        scope: whose seats.
        columns: any of SEAT_COLUMNS and CELL_COLUMNS; each takes time. `partners` are the
            agents in the other seats.
        judge: whose scores.
        measures: which of them.

    Raises:
        InputError: a score is not finite.
    """
    seats = cache(lambda scenario: [seat.name for seat in source.store.scenario(scenario).seats])
    names = measure_names_by_judge(judge.rubrics) if judge is not None else {}
    wanted = [measure.name for measure in measures]
    all_runs = "SELECT name FROM runs ORDER BY name"
    for run in source.column(all_runs) if scope.run is None else [scope.run]:
        scenarios = _scenarios_in_run(source, scope, run)
        agents = _agents(source, scope, run)
        for cells in source.store.cells(run, list(names), scenarios):
            if len(cells.block_index):
                frame = _seat_frame(cells, run, scenarios, seats, columns)
                if wanted:
                    frame[wanted] = seat_values(cells, names, wanted).reshape(-1, len(wanted))
                yield frame if agents is None else frame[frame["agent"].isin(agents)]


def seat_names(source: QuerySource, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Scenario id → its seats, in their order, for the scenarios of the scope's run."""
    if scope.run is None:
        raise ValueError("several runs may be meant")
    scenarios = _scenarios_in_run(source, scope, scope.run)
    return {id_: tuple(seat.name for seat in source.store.scenario(id_).seats) for id_ in scenarios}


def _scenarios_in_run(source: QuerySource, scope: Scope, run: str) -> dict[str, _RunScenario]:
    """Scenario id → what it is in a run, for those of the scope."""
    run_scope = Scope(run=run, scenario=scope.scenario, family=scope.family)
    sql = f"""
SELECT k.id, k.kind,
  (SELECT w.scenario_name FROM work_items w WHERE w.scenario_id = k.id AND w.run = :run LIMIT 1)
FROM scenarios k
WHERE EXISTS (
  SELECT 1 FROM episodes e WHERE e.scenario_id = k.id AND {run_scope.episode_condition()})"""
    return {
        id_: _RunScenario(name=name, kind=kind)
        for id_, kind, name in source.rows(sql, run_scope.params)
    }


def _agents(source: QuerySource, scope: Scope, run: str) -> list[str] | None:
    """The names that the scope's agents have in a run; None: everybody."""
    if not scope.agents:
        return None
    names_and_ids = source.rows(
        "SELECT agent_name, agent_id FROM run_agents WHERE run = :run", {"run": run}
    )
    return [name for name, id_ in names_and_ids if name in scope.agents or id_ in scope.agents]


def _seat_frame(
    cells: Cells,
    run: str,
    scenarios: Mapping[str, _RunScenario],
    seats: Callable[[str], Sequence[str]],
    columns: Collection[str],
) -> pd.DataFrame:
    items, size = cells.agent_index.shape
    block = np.repeat(cells.block_index, size)
    position = np.tile(np.arange(size), items)
    played = [scenarios[scenario] for _, scenario, _ in cells.blocks]
    names = _object_array(cells.agent_names)[cells.agent_index]
    makers: dict[str, Callable[[], Any]] = {
        "seat": lambda: np.array(
            [seats(scenario) for _, scenario, _ in cells.blocks], dtype=object
        )[block, position],
        "position": lambda: position,
        "run": lambda: run,
        "scenario": lambda: _object_array([each.name for each in played])[block],
        "kind": lambda: _object_array([each.kind for each in played])[block],
        "scenario_id": lambda: _object_array([scenario for _, scenario, _ in cells.blocks])[block],
        "repeat": lambda: np.array([repeat for _, _, repeat in cells.blocks])[block],
        "partners": lambda: _partners(names).ravel(),
    }
    always = {
        "agent": names.ravel(),
        "family": _object_array([family for family, _, _ in cells.blocks])[block],
        "episode": np.repeat(cells.episode, size),
        "failed": np.repeat(cells.failed, size),
        ALL_COLUMN: "",
    }
    return pd.DataFrame(always | {name: make() for name, make in makers.items() if name in columns})


def _object_array(values: Sequence[str]) -> NDArray[Any]:
    return np.array(values, dtype=object)


def _partners(names: NDArray[Any]) -> NDArray[Any]:
    """(n, S) who sat in the other seats, in their order."""
    others = [np.delete(names, seat, axis=1) for seat in range(names.shape[1])]
    joined = [
        rows[:, 0] if rows.shape[1] == 1 else _object_array([" + ".join(row) for row in rows])
        for rows in others
    ]
    return np.stack(joined, axis=1)
