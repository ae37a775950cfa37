"""Judgements of an episode as tables: a row for each dimension, a column for each seat, with
reasons and distributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.core.judgement import Verdict
from simworld.web.figures.bars import draw_dots, draw_score_in_range, draw_shares
from simworld.web.numbers import format_number
from store import JudgeRecord, Store, StoredEpisode, StoredJudgement

LOG_ODDS_RANGE = (-6.0, 6.0)  # of the axis of log-odds, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCell:
    """One seat's score on one dimension."""

    score: float
    range_figure: Markup | None  # where it lies in its range; None where the range is not known
    reasoning: str
    distribution: Markup | None
    raw: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionRow:
    """One dimension."""

    dimension: str
    question: str
    score_range: tuple[float, float] | None
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
        _judgement_table(stored_judgement, judges.get(stored_judgement.judgement.judge_id), seats)
        for stored_judgement in judgements
    ]


def _judgement_table(
    stored: StoredJudgement, judge: JudgeRecord | None, seats: Sequence[str]
) -> JudgementTable:
    spec = {} if judge is None else judge.spec
    dimension_by_name = {str(d["name"]): d for d in spec.get("rubric", {}).get("dimensions", ())}
    by_key = {(verdict.seat, verdict.dimension): verdict for verdict in stored.judgement.verdicts}
    names = list(dict.fromkeys(verdict.dimension for verdict in stored.judgement.verdicts))
    judged_seats = [
        seat for seat in seats if any(verdict.seat == seat for verdict in stored.judgement.verdicts)
    ]
    rows = []
    for name in [d for d in dimension_by_name if d in names] + [
        name for name in names if name not in dimension_by_name
    ]:
        dimension = dimension_by_name.get(name)
        ends = None if dimension is None else (float(dimension["low"]), float(dimension["high"]))
        rows.append(
            DimensionRow(
                dimension=name,
                question="" if dimension is None else str(dimension.get("question", "")),
                score_range=ends,
                cells=[_score_cell(by_key.get((seat, name)), ends) for seat in judged_seats],
            )
        )
    return JudgementTable(
        stored=stored,
        method=str(spec.get("spec", {}).get("method", "")),
        seats=judged_seats,
        rows=rows,
    )


def _score_cell(
    verdict: Verdict | None, score_range: tuple[float, float] | None
) -> ScoreCell | None:
    if verdict is None:
        return None
    return ScoreCell(
        score=verdict.score,
        range_figure=None
        if score_range is None
        else draw_score_in_range(verdict.score, *score_range),
        reasoning=verdict.reasoning,
        distribution=draw_distribution(verdict.raw),
        raw=sorted(verdict.raw.items()),
    )


def draw_distribution(raw: Mapping[str, float]) -> Markup | None:
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
        return draw_shares(digits, [str(i) for i in range(10)], label)
    odds = [
        value
        for name, value in sorted(raw.items())
        if name.startswith("log_odds_") and math.isfinite(value)
    ]
    if not odds:
        return None
    low, high = min(LOG_ODDS_RANGE[0], *odds), max(LOG_ODDS_RANGE[1], *odds)
    numbers = ", ".join(format_number(value, 1) for value in odds)
    return draw_dots(odds, (low, high), f"log-odds of the wordings for the better end: {numbers}")
