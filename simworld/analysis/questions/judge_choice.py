"""Which judge is meant: never a mixture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simworld.analysis.questions.query_source import QuerySource
from simworld.analysis.questions.scope import Scope
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean
from store import JudgeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """One judge: its records, one for each rubric that it judged by."""

    name: str
    records: tuple[JudgeRecord, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the records."""
        return tuple(record.id for record in self.records)

    @property
    def rubrics(self) -> dict[str, dict[str, Any]]:
        """Judge id → its rubric as JSON data."""
        return {record.id: record.spec["rubric"] for record in self.records}


def choose_judge(source: QuerySource, judge: str | None, scope: Scope) -> JudgeChoice:
    """The judge of a name, an id or the beginning of an id; without one, the only judge that has
    scored the scope.

    Raises:
        InputError: there is none, there are several, or it has scored no episode of the scope; the
            text says why.
    """
    # A judge that was shown swapped seats or names says how far another can be trusted, and scores
    # nothing
    judges = [
        record for record in source.store.judges() if "swap" not in record.spec.get("spec", {})
    ]
    named = judges
    if judge is not None:
        named = [record for record in judges if record.name == judge] or [
            record for record in judges if judge and record.id.startswith(judge)
        ]
        if not named:
            names = sorted({record.name for record in judges})
            hint = did_you_mean(judge, names) or f"; there are {', '.join(names) or 'none'}"
            raise InputError(f"no judge {judge!r} in {source.where}{hint}")
    scored = [record for record in named if _has_scored(source, record, scope)]
    if not scored:
        raise InputError(_explain_no_score(source, named, scope))
    names = list(dict.fromkeys(record.name for record in scored))
    if len(names) > 1:
        raise InputError(
            f"{len(names)} judges have scored this, and scores of different judges cannot be"
            f" combined; say judge=…: {', '.join(names)}"
        )
    by_rubric: dict[str, list[JudgeRecord]] = defaultdict(list)
    for record in scored:
        if not record.spec.get("rubric"):
            raise InputError(
                f"judge {record.id} was stored without its rubric, so its scores have no scale"
            )
        by_rubric[record.spec["rubric"]["id"]].append(record)
    for records in by_rubric.values():
        if len(records) > 1:
            raise InputError(
                f"judge {records[0].name!r} has judged as"
                f" {' and as '.join(record.id for record in records)}: with other models, prompts"
                " or calibrations, whose scores cannot be combined; say judge=… with one of"
                " these ids"
            )
    return JudgeChoice(
        name=scored[0].name, records=tuple(records[0] for records in by_rubric.values())
    )


def _has_scored(source: QuerySource, record: JudgeRecord, scope: Scope) -> bool:
    sql = (
        "SELECT 1 FROM judgements j JOIN episodes e ON e.id = j.episode_id "
        f"WHERE j.judge_id = :judge AND j.status = 'ok' AND {scope.episode_condition()} LIMIT 1"
    )
    return bool(source.rows(sql, {"judge": record.id, **scope.params}))


def _explain_no_score(source: QuerySource, judges: Sequence[JudgeRecord], scope: Scope) -> str:
    subject = (
        f"run {scope.run!r}" if scope.run else "these episodes" if scope.params else source.where
    )
    for record in judges:
        sql = (
            "SELECT j.failure_boundary, j.failure_kind, j.failure_message FROM judgements j JOIN"
            " episodes e ON e.id = j.episode_id WHERE j.judge_id = :judge AND j.status = 'failed'"
            f" AND {scope.episode_condition()} ORDER BY j.judged DESC LIMIT 1"
        )
        for boundary, kind, message in source.rows(sql, {"judge": record.id, **scope.params}):
            return (
                f"judge {record.name!r} has scored no episode of {subject}: its judgements failed,"
                f" the last one like this: {boundary}: {kind}: {message}; `simworld judge run"
                " --retry-failed` tries again"
            )
    endings_sql = (
        f"SELECT e.ending FROM episodes e WHERE {scope.episode_condition()} GROUP BY e.ending"
    )
    endings = source.column(endings_sql, scope.params)
    if not endings:
        return f"no episodes of {subject} in {source.where}"
    if endings == ["failed"]:
        return (
            f"every episode of {subject} failed, so there is nothing to score; see"
            " `simworld episode list`"
        )
    return f"nothing of {subject} is judged yet; `simworld judge run` does it"
