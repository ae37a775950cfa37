"""Why a ready query has no rows: what would have to be there first, or that nothing is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import store
from simworld.analysis.ready_queries import ReadyQuery
from store.query_parameters import BoundValue

_OF_RUN = "e.run = COALESCE(:run, e.run)"
_JUDGED = "SELECT 1 FROM judgements j JOIN episodes e ON e.id = j.episode_id WHERE"
_CHECKED = "SELECT 1 FROM checks c JOIN episodes e ON e.id = c.episode_id WHERE"
_STEERED = "SELECT 1 FROM plan_steps p JOIN episodes e ON e.id = p.episode_id WHERE"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """What a query that names one of these words reads, and cannot do without."""

    pattern: str  # a pattern
    sql: str  # SQL with a row where it is there
    message: str


_NEEDS = (
    _Need(
        pattern="episodes|episode_scores|transcripts",
        sql=f"SELECT 1 FROM episodes e WHERE {_OF_RUN} LIMIT 1",
        message="nothing was played{of}; `simworld run` plays scenarios",
    ),
    _Need(
        pattern="episode_scores|verdicts|judgements",
        sql=f"{_JUDGED} {_OF_RUN} LIMIT 1",
        message="nothing is judged{of}; `simworld judge run` judges",
    ),
    _Need(
        pattern="episode_scores|verdicts",
        sql=f"{_JUDGED} j.status = 'ok' AND {_OF_RUN} LIMIT 1",
        message="every judgement{of} failed; `simworld judge run --retry-failed` tries again",
    ),
    _Need(
        pattern="checks",
        sql=f"{_CHECKED} {_OF_RUN} LIMIT 1",
        message=(
            "no scenario that was played{of} has checks; a scenario's file names them under"
            " `checks:`"
        ),
    ),
    _Need(
        pattern="parent_id",
        sql=f"SELECT 1 FROM episodes e WHERE e.parent_id IS NOT NULL AND {_OF_RUN} LIMIT 1",
        message="no episode{of} is a branch of another; `simworld episode branch` makes one",
    ),
    _Need(
        pattern="plan_steps",
        sql=f"{_STEERED} {_OF_RUN} LIMIT 1",
        message="no agent that played{of} was steered by a planner",
    ),
    _Need(
        pattern="training_runs",
        sql="SELECT 1 FROM training_runs LIMIT 1",
        message="nothing was taught; `simworld train` teaches planners",
    ),
)
_ALL_WELL = {"failures": "nothing failed", "unscored": "every episode that ended has its score"}


def explain_empty(url: str, ready: ReadyQuery, values: Mapping[str, BoundValue]) -> str:
    """Why a ready query has no rows with these values, for people.

    Raises:
        InputError: the database cannot be read.
    """
    run = values.get("run")
    for need in _NEEDS:
        if re.search(rf"\b({need.pattern})\b", ready.sql) and not _has_rows(url, need.sql, run):
            return need.message.format(of=f" in run {run}" if run is not None else "")
    if ready.name in _ALL_WELL:
        return _ALL_WELL[ready.name]
    filters = ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f"nothing stored has {filters}" if filters else "nothing stored is what it asks for"


def _has_rows(url: str, sql: str, run: BoundValue) -> bool:
    values = {"run": run} if ":run" in sql else {}
    with store.query(url, sql, values) as answer:
        return any(True for _ in answer)
