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
from simworld.analysis.questions.judge_measures import Measure
from simworld.analysis.questions.query_source import QuerySource
from simworld.analysis.questions.scope import Scope
from simworld.core.measures import measure_names
from simworld.results.seat_scores import seat_values
from store import Cells

COLUMNS = ("agent", "seat", "position", "run", "scenario", "family", "kind")
CELL = ("scenario_id", "repeat", "partners")
ALL = "all"  # a column that is the same everywhere: to group by where no other is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunScenario:
    """A scenario in a run."""

    name: str
    kind: str


def seat_frames(
    source: QuerySource,
    among: Scope,
    columns: Collection[str],
    judge: JudgeChoice | None = None,
    measures: Sequence[Measure] = (),
) -> Iterator[pd.DataFrame]:
    """The seats of a scope in the last attempts at its work items; a row for each.

    Columns: `agent`, `family`, `episode` (64 bits of its id), `failed` (whether it did), ALL; those
    asked for; and each measure, NaN where there is no score.

    Args:
        source: where to ask.
        among: whose seats.
        columns: any of COLUMNS and CELL; each takes time. `partners` are the agents in the other
            seats.
        judge: whose scores.
        measures: which of them.

    Raises:
        InputError: a score is not finite.
    """
    seats = cache(lambda scenario: [seat.name for seat in source.store.scenario(scenario).seats])
    names = measure_names(judge.rubrics) if judge is not None else {}
    wanted = [measure.name for measure in measures]
    for run in _runs(source, among):
        places = _places(source, among, run)
        agents = _agents(source, among, run)
        for cells in source.store.cells(run, list(names), places):
            if len(cells.block_index):
                frame = _frame(cells, run, places, seats, columns)
                if wanted:
                    frame[wanted] = seat_values(cells, names, wanted).reshape(-1, len(wanted))
                yield frame if agents is None else frame[frame["agent"].isin(agents)]


def seat_names(source: QuerySource, among: Scope) -> dict[str, tuple[str, ...]]:
    """Scenario id → its seats, in their order, for the scenarios of the scope's run."""
    if among.run is None:
        raise ValueError("several runs may be meant")
    places = _places(source, among, among.run)
    return {id_: tuple(seat.name for seat in source.store.scenario(id_).seats) for id_ in places}


def _runs(source: QuerySource, among: Scope) -> list[str]:
    return (
        [among.run]
        if among.run is not None
        else source.column("SELECT name FROM runs ORDER BY name")
    )


def _places(source: QuerySource, among: Scope, run: str) -> dict[str, _RunScenario]:
    """Scenario id → what it is in a run, for those of the scope."""
    of_run = Scope(run=run, scenario=among.scenario, family=among.family)
    sql = f"""
SELECT k.id, k.kind,
  (SELECT w.scenario_name FROM work_items w WHERE w.scenario_id = k.id AND w.run = :run LIMIT 1)
FROM scenarios k
WHERE EXISTS (SELECT 1 FROM episodes e WHERE e.scenario_id = k.id AND {of_run.episodes()})"""
    return {
        id_: _RunScenario(name=name, kind=kind)
        for id_, kind, name in source.rows(sql, of_run.values)
    }


def _agents(source: QuerySource, among: Scope, run: str) -> list[str] | None:
    """The names that the scope's agents have in a run; None: everybody."""
    if not among.agents:
        return None
    named = source.rows(
        "SELECT agent_name, agent_id FROM run_agents WHERE run = :run", {"run": run}
    )
    return [name for name, id_ in named if name in among.agents or id_ in among.agents]


def _frame(
    cells: Cells,
    run: str,
    places: Mapping[str, _RunScenario],
    seats: Callable[[str], Sequence[str]],
    columns: Collection[str],
) -> pd.DataFrame:
    items, size = cells.agent_index.shape
    block = np.repeat(cells.block_index, size)
    position = np.tile(np.arange(size), items)
    of = [places[scenario] for _, scenario, _ in cells.blocks]
    names = _words(cells.agent_names)[cells.agent_index]
    makers: dict[str, Callable[[], Any]] = {
        "seat": lambda: np.array(
            [seats(scenario) for _, scenario, _ in cells.blocks], dtype=object
        )[block, position],
        "position": lambda: position,
        "run": lambda: run,
        "scenario": lambda: _words([place.name for place in of])[block],
        "kind": lambda: _words([place.kind for place in of])[block],
        "scenario_id": lambda: _words([scenario for _, scenario, _ in cells.blocks])[block],
        "repeat": lambda: np.array([repeat for _, _, repeat in cells.blocks])[block],
        "partners": lambda: _partners(names).ravel(),
    }
    always = {
        "agent": names.ravel(),
        "family": _words([family for family, _, _ in cells.blocks])[block],
        "episode": np.repeat(cells.episode, size),
        "failed": np.repeat(cells.failed, size),
        ALL: "",
    }
    return pd.DataFrame(always | {name: make() for name, make in makers.items() if name in columns})


def _words(values: Sequence[str]) -> NDArray[Any]:
    return np.array(values, dtype=object)


def _partners(names: NDArray[Any]) -> NDArray[Any]:
    """(n, S) who sat in the other seats, in their order."""
    others = [np.delete(names, seat, axis=1) for seat in range(names.shape[1])]
    joined = [
        rows[:, 0] if rows.shape[1] == 1 else _words([" + ".join(row) for row in rows])
        for rows in others
    ]
    return np.stack(joined, axis=1)
