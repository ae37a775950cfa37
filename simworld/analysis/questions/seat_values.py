"""One row for each scored seat, with its measures side by side: the SQL from which scores, pairs and checks are asked.

A measure is a dimension as a share of its range in [0, 1], `overall` (the rubric's weighted mean of them) or `sotopia_mean` (of
the seven, each in its own range). Samples of a judge are averaged. The same numbers as `simworld.analysis.seat_scores`, which
reads them row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simworld.analysis.arms import OVERALL
from simworld.analysis.questions.judges import Judge
from simworld.analysis.questions.names import Scope, choose
from simworld.analysis.questions.source import Source
from simworld.analysis.seat_scores import SOTOPIA, SOTOPIA_MEAN
from store.parameters import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Something that a judge scores. `low` and `high` are the ends of the scale of what was asked; shares go from 0 to 1."""

    name: str
    low: float
    high: float
    share: bool  # whether values are shares of the range; else they are in the range itself


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatValues:
    """A subquery with the columns episode_id, seat, m0, m1, …, and the values of its parameters."""

    sql: str
    values: dict[str, Value]
    measures: tuple[Measure, ...]  # of m0, m1, …

    @property
    def columns(self) -> list[str]:
        """Of the measures: m0, m1 and so on."""
        return [f"m{i}" for i in range(len(self.measures))]


def measures_of(judge: Judge) -> dict[str, Measure]:
    """Name → measure, `overall` first. With several rubrics their names stand before those of dimensions."""
    found = [Measure(name=OVERALL, low=0.0, high=1.0, share=True)]
    rubrics = judge.rubrics.values()
    for rubric in rubrics:
        if rubric["name"] == SOTOPIA:
            low, high = (_mean([d[end] for d in rubric["dimensions"]]) for end in ("low", "high"))
            found.append(Measure(name=SOTOPIA_MEAN, low=low, high=high, share=False))
    for rubric in rubrics:
        prefix = f"{rubric['name']}/" if len(judge.records) > 1 else ""
        found += [
            Measure(name=prefix + d["name"], low=d["low"], high=d["high"], share=True) for d in rubric["dimensions"]
        ]
    return {measure.name: measure for measure in found}


def seat_values(source: Source, judge: Judge, scope: Scope, measures: Sequence[str] = ()) -> SeatValues:
    """The subquery for a judge and a scope.

    Args:
        source: where it will be asked, to see whether anything was judged several times.
        judge: whose scores.
        scope: episodes outside of it are not read; of those in it all seats are.
        measures: names; default: all.

    Raises:
        InputError: a measure that this judge does not give.
    """
    known = measures_of(judge)
    chosen = [known[choose(name, list(known), f"measure of judge {judge.name!r},")] for name in measures or known]
    writer = _Writer(judge)
    columns = [writer.column(measure.name) for measure in chosen]
    judges = ", ".join(writer.bind(id_) for id_ in judge.ids)
    dimensions = f"AND v.dimension IN ({', '.join(map(writer.bind, writer.read))})" if measures else ""
    named = ", ".join(f"{column} AS m{i}" for i, column in enumerate(columns))
    sql = f"""
SELECT j.episode_id, v.seat, {named}
FROM episodes e
JOIN judgements j ON j.episode_id = e.id AND j.status = 'ok' AND j.judge_id IN ({judges})
JOIN verdicts v ON v.judgement_id = j.id {dimensions}
WHERE {scope.episodes()}
GROUP BY j.id, j.episode_id, v.seat"""
    again = "SELECT 1 FROM judgements WHERE judge_id = :judge AND sample > 0 LIMIT 1"
    if any(source.rows(again, {"judge": id_}) for id_ in judge.ids):
        averaged = ", ".join(f"avg(m{i}) AS m{i}" for i in range(len(chosen)))
        sql = f"SELECT episode_id, seat, {averaged} FROM ({sql}) one_sample GROUP BY episode_id, seat"
    return SeatValues(sql=sql, values={**writer.values, **scope.values}, measures=tuple(chosen))


class _Writer:
    """Writes the column of a measure, and gathers parameters and the dimensions that are read."""

    def __init__(self, judge: Judge) -> None:
        self._rubrics = judge.rubrics
        self.values: dict[str, Value] = {}
        self.read: dict[str, None] = {}

    def bind(self, value: Value) -> str:
        """The parameter of a value."""
        for name, held in self.values.items():
            if held == value and type(held) is type(value):
                return f":{name}"
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def column(self, measure: str) -> str:
        """The value of a measure in one judgement of one seat."""
        cases = {id_: sql for id_ in self._rubrics if (sql := self._of_rubric(id_, measure))}
        if len(self._rubrics) == 1:
            return next(iter(cases.values()))
        return f"CASE min(j.judge_id) {' '.join(f'WHEN {self.bind(id_)} THEN {sql}' for id_, sql in cases.items())} END"

    def _of_rubric(self, id_: str, measure: str) -> str:
        rubric = self._rubrics[id_]
        names = [d["name"] for d in rubric["dimensions"]]
        if measure == OVERALL:
            weights = {d["name"]: float(d["weight"]) for d in rubric["dimensions"] if d["weight"]}
            self.read |= dict.fromkeys(weights)
            if not weights:
                return "NULL"
            parts = " ".join(f"WHEN {self.bind(n)} THEN {self.bind(w)} * v.rescaled" for n, w in weights.items())
            among = ", ".join(map(self.bind, weights))
            total = self.bind(sum(weights.values()))
            complete = f"count(CASE WHEN v.dimension IN ({among}) THEN 1 END) = {len(weights)}"
            return f"CASE WHEN {complete} THEN sum(CASE v.dimension {parts} END) / {total} END"
        if measure == SOTOPIA_MEAN:
            if rubric["name"] != SOTOPIA:
                return ""
            self.read |= dict.fromkeys(names)
            return f"CASE WHEN count(*) = {len(names)} THEN avg(v.score) END"
        prefix = f"{rubric['name']}/" if len(self._rubrics) > 1 else ""
        name = measure.removeprefix(prefix)
        if prefix + name != measure or name not in names:
            return ""
        self.read[name] = None
        return f"sum(CASE WHEN v.dimension = {self.bind(name)} THEN v.rescaled END)"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
