"""Judgements of an episode as tables: a row for each dimension, a column for each seat, with
reasons and distributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.core.judgement import Verdict
from simworld.web.figures.bars import histogram, in_range, spread
from simworld.web.numbers import format_number
from store import JudgeRecord, Store, StoredEpisode, StoredJudgement

ENDS = (-6.0, 6.0)  # of the axis of log-odds, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCell:
    """One seat's score on one dimension."""

    score: float
    place: Markup | None  # where it lies in its range; None where the range is not known
    reasoning: str
    distribution: Markup | None
    raw: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRow:
    """One dimension."""

    dimension: str
    question: str
    ends: tuple[float, float] | None
    cells: Sequence[ScoreCell | None]  # by seat


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementTable:
    """One judgement."""

    stored: StoredJudgement
    method: str
    seats: Sequence[str]
    rows: Sequence[DimensionRow]


def judgement_tables(store: Store, stored: StoredEpisode) -> list[JudgementTable]:
    """All judgements of an episode, by judge and sample."""
    judgements = store.judgements(stored.id)
    judges = {judge.id: judge for judge in store.judges()} if judgements else {}
    seats = [seat.seat for seat in stored.summary.seats]
    return [
        _table(stored_judgement, judges.get(stored_judgement.judgement.judge_id), seats)
        for stored_judgement in judgements
    ]


def _table(
    stored: StoredJudgement, judge: JudgeRecord | None, seats: Sequence[str]
) -> JudgementTable:
    spec = {} if judge is None else judge.spec
    dimensions = {str(d["name"]): d for d in spec.get("rubric", {}).get("dimensions", ())}
    by_key = {(verdict.seat, verdict.dimension): verdict for verdict in stored.judgement.verdicts}
    names = list(dict.fromkeys(verdict.dimension for verdict in stored.judgement.verdicts))
    judged_seats = [
        seat for seat in seats if any(verdict.seat == seat for verdict in stored.judgement.verdicts)
    ]
    rows = []
    for name in [d for d in dimensions if d in names] + [
        name for name in names if name not in dimensions
    ]:
        known = dimensions.get(name)
        ends = None if known is None else (float(known["low"]), float(known["high"]))
        rows.append(
            DimensionRow(
                dimension=name,
                question="" if known is None else str(known.get("question", "")),
                ends=ends,
                cells=[_cell(by_key.get((seat, name)), ends) for seat in judged_seats],
            )
        )
    return JudgementTable(
        stored=stored,
        method=str(spec.get("spec", {}).get("method", "")),
        seats=judged_seats,
        rows=rows,
    )


def _cell(verdict: Verdict | None, ends: tuple[float, float] | None) -> ScoreCell | None:
    if verdict is None:
        return None
    return ScoreCell(
        score=verdict.score,
        place=None if ends is None else in_range(verdict.score, *ends),
        reasoning=verdict.reasoning,
        distribution=distribution(verdict.raw),
        raw=sorted(verdict.raw.items()),
    )


def distribution(raw: Mapping[str, float]) -> Markup | None:
    """How the judge's answer is spread: probabilities of the digits, or log-odds of each wording;
    None where it gave neither.
    """
    digits = [raw[name] for i in range(10) if (name := f"p{i}") in raw]
    if len(digits) == 10:
        best = max(range(10), key=digits.__getitem__)
        label = (
            f"probabilities of the answers 0 to 9; the likeliest is {best} with"
            f" {format_number(digits[best])}"
        )
        return histogram(digits, [str(i) for i in range(10)], label)
    odds = [
        value
        for name, value in sorted(raw.items())
        if name.startswith("log_odds_") and math.isfinite(value)
    ]
    if not odds:
        return None
    low, high = min(ENDS[0], *odds), max(ENDS[1], *odds)
    numbers = ", ".join(format_number(value, 1) for value in odds)
    return spread(odds, (low, high), f"log-odds of the wordings for the better end: {numbers}")
