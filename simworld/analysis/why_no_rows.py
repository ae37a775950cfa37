"""Why a ready query has no rows: what would have to be there first, or that nothing is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import store
from simworld.analysis.ready_queries import ReadyQuery
from store.query_parameters import BoundValue

_OF_RUN = "e.run = COALESCE(:run, e.run)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """What a query that names one of these words reads, and cannot do without."""

    words: str  # a pattern
    there: str  # SQL with a row where it is there
    lacks: str


_NEEDS = (
    _Need(
        words="episodes|episode_scores|transcripts",
        there=f"SELECT 1 FROM episodes e WHERE {_OF_RUN} LIMIT 1",
        lacks="nothing was played{of}; `simworld run` plays scenarios",
    ),
    _Need(
        words="episode_scores|verdicts|judgements",
        there=(
            f"SELECT 1 FROM judgements j JOIN episodes e ON e.id = j.episode_id WHERE {_OF_RUN}"
            " LIMIT 1"
        ),
        lacks="nothing is judged{of}; `simworld judge run` judges",
    ),
    _Need(
        words="episode_scores|verdicts",
        there=(
            "SELECT 1 FROM judgements j JOIN episodes e ON e.id = j.episode_id "
            f"WHERE j.status = 'ok' AND {_OF_RUN} LIMIT 1"
        ),
        lacks="every judgement{of} failed; `simworld judge run --retry-failed` tries again",
    ),
    _Need(
        words="checks",
        there=(
            f"SELECT 1 FROM checks c JOIN episodes e ON e.id = c.episode_id WHERE {_OF_RUN} LIMIT 1"
        ),
        lacks=(
            "no scenario that was played{of} has checks; a scenario's file names them under"
            " `checks:`"
        ),
    ),
    _Need(
        words="parent_id",
        there=f"SELECT 1 FROM episodes e WHERE e.parent_id IS NOT NULL AND {_OF_RUN} LIMIT 1",
        lacks="no episode{of} is a branch of another; `simworld episode branch` makes one",
    ),
    _Need(
        words="plan_steps",
        there=(
            f"SELECT 1 FROM plan_steps p JOIN episodes e ON e.id = p.episode_id WHERE {_OF_RUN}"
            " LIMIT 1"
        ),
        lacks="no agent that played{of} was steered by a planner",
    ),
    _Need(
        words="training_runs",
        there="SELECT 1 FROM training_runs LIMIT 1",
        lacks="nothing was taught; `simworld train` teaches planners",
    ),
)
_WELL = {"failures": "nothing failed", "unscored": "every episode that ended has its score"}


def why_empty(url: str, ready: ReadyQuery, values: Mapping[str, BoundValue]) -> str:
    """Why a ready query has no rows with these values, for people.

    Raises:
        InputError: the database cannot be read.
    """
    run = values.get("run")
    for need in _NEEDS:
        if re.search(rf"\b({need.words})\b", ready.sql) and not _any(url, need.there, run):
            return need.lacks.format(of=f" in run {run}" if run is not None else "")
    if ready.name in _WELL:
        return _WELL[ready.name]
    filters = ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f"nothing stored has {filters}" if filters else "nothing stored is what it asks for"


def _any(url: str, sql: str, run: BoundValue) -> bool:
    values = {"run": run} if ":run" in sql else {}
    with store.query(url, sql, values) as answer:
        return any(True for _ in answer)
