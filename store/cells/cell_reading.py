"""Reading kept cells: who sat where, and what judges scored, as arrays of a few hundred scenarios
and repeats at a time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, func, select, union
from sqlalchemy.orm import aliased

from simworld.core.errors import InputError
from simworld.core.measures import measures_of_rubric, rubric_json_of
from store.cells.cell_rebuild import compute_casts, compute_scores
from store.cells.cell_records import decode_casts, decode_retests, decode_scores, hash_agent_name
from store.records import Cells
from store.tables import (
    AgentRow,
    CellCastRow,
    CellScoreRow,
    EpisodeRow,
    JudgementRow,
    JudgeRow,
    RunAgentRow,
    VerdictRow,
)

BLOCKS_PER_BATCH = 256  # held at a time


def scoring_judge_ids(connection: Connection, run: str) -> list[str]:
    """Ids of the judges with a rubric that have scored something in a run, sorted."""
    query = select(CellScoreRow.judge_id).where(
        CellScoreRow.run == run, func.length(CellScoreRow.scores) > 0
    )
    return sorted(connection.execute(query.distinct()).scalars())


def cells_fingerprint(connection: Connection, run: str) -> tuple[int, int, int]:
    """Three numbers that change when an episode or a judgement is added to a run: a quick look at
    whether anything is new.
    """
    count_casts = select(func.count(), func.coalesce(func.sum(func.length(CellCastRow.casts)), 0))
    count_scores = select(func.coalesce(func.sum(func.length(CellScoreRow.scores)), 0))
    blocks, cast_bytes = connection.execute(count_casts.where(CellCastRow.run == run)).one()
    score_bytes = connection.execute(count_scores.where(CellScoreRow.run == run)).scalar_one()
    return int(blocks), int(cast_bytes), int(score_bytes)


def read_cells(
    connection: Connection, run: str, judge_ids: Sequence[str], scenario_ids: Collection[str]
) -> Iterator[Cells]:
    """The last attempts at the work items of these scenarios (ids), with these judges' scores, some
    hundred blocks at a time.

    Read from what the store keeps up to date for this: a hundred thousand episodes take a fraction
    of a second.

    Raises:
        InputError: a score is no finite number.
    """
    reader = _CellReader(connection, run, judge_ids)
    rows_by_seats: dict[int, list[Any]] = defaultdict(list)  # by number of seats
    for row in _select_rows(connection, run, judge_ids):
        if row.scenario_id in scenario_ids:
            rows_by_seats[row.seats].append(row)
            if len(rows_by_seats[row.seats]) == BLOCKS_PER_BATCH:
                yield reader.build_cells(rows_by_seats.pop(row.seats))
    for _, rows in sorted(rows_by_seats.items()):
        yield reader.build_cells(rows)


def read_retest_sums(
    connection: Connection, run: str, judge_id: str
) -> Mapping[str, NDArray[np.float64]]:
    """Scenario id → by measure the squared deviations of a judge's samples from their mean, and
    degrees of freedom, (M, 2).
    """
    reader = _CellReader(connection, run, [judge_id])
    by_scenario: dict[str, NDArray[np.float64]] = {}
    for row in _select_rows(connection, run, [judge_id]):
        _, retests = reader.score_blobs(row, 0)
        if retests:
            sums = decode_retests(row.seats, reader.measures[judge_id], retests)["sums"].sum(
                axis=(0, 1)
            )
            by_scenario[row.scenario_id] = by_scenario.get(row.scenario_id, 0) + sums
    return by_scenario


class _CellReader:
    """Turns rows into arrays. What is stale is made again, here and not in the database: a reader
    may lack the right to write.
    """

    def __init__(self, connection: Connection, run: str, judge_ids: Sequence[str]) -> None:
        self._connection, self._run, self._judge_ids = connection, run, judge_ids
        self.names = _agent_names(connection, run)
        hashes = np.array([hash_agent_name(name) for name in self.names], dtype=np.uint64)
        self._hash_order = np.argsort(hashes)
        self._name_hashes = hashes[self._hash_order]
        specs = connection.execute(
            select(JudgeRow.id, JudgeRow.spec).where(JudgeRow.id.in_(judge_ids))
        )
        self.measures = {
            id_: len(measures_of_rubric(rubric))
            for id_, spec in specs
            if (rubric := rubric_json_of(spec))
        }

    def build_cells(self, rows: Sequence[Any]) -> Cells:
        """The arrays of rows with equally many seats."""
        blocks = tuple((row.family, row.scenario_id, row.repeat) for row in rows)
        seats = rows[0].seats
        blobs = [
            self._rebuilt_casts.get(block, b"") if row.stale else row.casts
            for row, block in zip(rows, blocks, strict=True)
        ]
        size = decode_casts(seats).dtype.itemsize
        casts = decode_casts(seats, b"".join(blobs))
        episode = casts["episode"].astype(np.uint64)
        scores = {
            judge: self._scores_of_episodes(
                judge, episode, b"".join([self.score_blobs(row, i)[0] for row in rows]), seats
            )
            for i, judge in enumerate(self._judge_ids)
            if judge in self.measures
        }
        return Cells(
            agent_names=self.names,
            blocks=blocks,
            block_index=np.repeat(np.arange(len(blocks)), [len(blob) // size for blob in blobs]),
            episode=episode,
            failed=casts["failed"].copy(),
            agent_index=self._hash_order[np.searchsorted(self._name_hashes, casts["agents"])],
            scores=scores,
        )

    def score_blobs(self, row: Any, judge_number: int) -> tuple[bytes, bytes]:
        """A judge's scores and retests in a row."""
        stale, scores, retests = row[6 + 3 * judge_number : 9 + 3 * judge_number]
        if stale:
            return self._rebuilt_scores.get(
                (row.family, row.scenario_id, row.repeat, self._judge_ids[judge_number]), (b"", b"")
            )
        return scores or b"", retests or b""

    @cached_property
    def _rebuilt_casts(self) -> Mapping[Any, bytes]:
        return {
            tuple(block[1:]): casts
            for block, casts in compute_casts(self._connection, (self._run,))
        }

    @cached_property
    def _rebuilt_scores(self) -> Mapping[Any, tuple[bytes, bytes]]:
        rebuilt = compute_scores(self._connection, (self._run,))
        return {tuple(block[1:]): (scores, retests) for block, scores, retests in rebuilt}

    def _scores_of_episodes(
        self, judge: str, episode: NDArray[np.uint64], blob: bytes, seats: int
    ) -> NDArray[np.float64]:
        """Scores in the places of their episodes; those of earlier attempts have none."""
        records = decode_scores(seats, self.measures[judge], blob)
        scores = np.full((len(episode), seats, self.measures[judge]), np.nan)
        if not (len(records) and len(episode)):
            return scores
        order = np.argsort(episode)
        position = np.searchsorted(episode, records["episode"], sorter=order).clip(
            max=len(episode) - 1
        )
        is_stored = episode[order[position]] == records["episode"]
        scores[order[position[is_stored]]] = records["values"][is_stored]
        if (infinite := np.isinf(scores).any(axis=(1, 2))).any():
            raise InputError(
                _non_finite_message(self._connection, judge, int(episode[infinite][0]))
            )
        return scores


def _select_rows(connection: Connection, run: str, judge_ids: Sequence[str]) -> Any:
    """Family, scenario, repeat, seats, stale, casts, and then stale, scores and retests of each
    judge.
    """
    query = select(
        CellCastRow.family,
        CellCastRow.scenario_id,
        CellCastRow.repeat,
        CellCastRow.seats,
        CellCastRow.stale,
        CellCastRow.casts,
    ).where(CellCastRow.run == run)
    for judge_id in judge_ids:
        cell = aliased(CellScoreRow)
        same_cell = and_(
            cell.run == CellCastRow.run,
            cell.family == CellCastRow.family,
            cell.scenario_id == CellCastRow.scenario_id,
            cell.repeat == CellCastRow.repeat,
            cell.judge_id == judge_id,
        )
        query = query.add_columns(cell.stale, cell.scores, cell.retests).outerjoin(cell, same_cell)
    query = query.order_by(CellCastRow.family, CellCastRow.scenario_id, CellCastRow.repeat)
    return connection.execute(query, execution_options={"yield_per": BLOCKS_PER_BATCH})


def _agent_names(connection: Connection, run: str) -> tuple[str, ...]:
    """The names that agents have in a run; an agent that a run does not name has the name it was
    first stored with.
    """
    in_run = select(RunAgentRow.agent_name).where(RunAgentRow.run == run)
    return tuple(sorted(connection.execute(union(in_run, select(AgentRow.name))).scalars()))


def _non_finite_message(connection: Connection, judge_id: str, episode: int) -> str:
    """What is wrong with a score of an episode."""
    prefix = f"{episode:016x}"
    query = (
        select(
            EpisodeRow.id,
            VerdictRow.seat,
            VerdictRow.dimension,
            VerdictRow.score,
            VerdictRow.rescaled,
        )
        .join(JudgementRow, JudgementRow.episode_id == EpisodeRow.id)
        .join(VerdictRow, VerdictRow.judgement_id == JudgementRow.id)
        .where(
            EpisodeRow.id >= prefix, EpisodeRow.id < prefix + "g", JudgementRow.judge_id == judge_id
        )
    )
    for id_, seat, dimension, score, rescaled in connection.execute(query):
        if not (math.isfinite(score) and math.isfinite(rescaled)):
            return (
                f"episode {id_}: {dimension} of seat {seat!r} by {judge_id} is {score}, which is"
                " not finite; delete that judgement and judge again"
            )
    return (
        f"episode {prefix}: a score by {judge_id} is not finite; delete that judgement and"
        " judge again"
    )
