"""Standings and differences as they are drawn: an interval for each number, the win matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.results.differences import Difference
from simworld.results.standings import MeasureStandings, Standing, WinRecord
from simworld.stats.ratings import MEAN_POINTS
from simworld.tournaments.results import TournamentResult
from simworld.web.figures.intervals import draw_axis, draw_interval
from simworld.web.figures.scales import axis_range

SHARE_SCALE = (0.0, 1.0)  # the scale of a measure that is a share of its range
# points on either side of the middle that a rating's axis shows at least: odds of three to one
MIN_RATING_REACH = 200.0
# shares of the range that an axis of differences may show on either side
REACHES = (0.25, 0.5, 1.0)
# Measure, each agent's mean score with its interval, and the ends of its scale
MeanColumns = list[tuple[str, list[tuple[Standing, Markup]], tuple[float, float]]]
# Agent, and its games against each agent with the class of their colour
WinMatrix = list[tuple[str, list[tuple[WinRecord | None, str]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLine:
    """One agent in a table of standings."""

    standing: Standing
    rating: Markup
    score: Markup
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMeasure:
    """A measure's table with its figures."""

    table: MeasureStandings
    lines: Sequence[StandingLine]
    rating_axis: Markup
    score_axis: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedMeasure:
    """One measure of two agents."""

    measure: str
    difference: Difference
    figure: Markup
    axis: Markup  # of all figures in one table


def draw_measure(table: MeasureStandings, score_ends: tuple[float, float]) -> DrawnMeasure:
    """A table of standings with an interval for each number, ratings on one axis and scores on
    their own scale.
    """
    ratings = [standing.rating for standing in table.standings if standing.rating]
    rating_values = [v for r in ratings for v in (r.points, r.low, r.high)]
    rating_ends = axis_range(
        [*rating_values, MEAN_POINTS - MIN_RATING_REACH, MEAN_POINTS + MIN_RATING_REACH]
    )
    lines = []
    for standing in table.standings:
        rating, score = standing.rating, standing.score
        lines.append(
            StandingLine(
                standing=standing,
                rating=draw_interval(
                    rating.points, rating.low, rating.high, rating_ends, mark=MEAN_POINTS
                )
                if rating
                else Markup(),
                score=draw_interval(score.mean, score.low, score.high, score_ends)
                if score
                else Markup(),
                lost=rating.games - rating.wins - rating.ties if rating else 0,
            )
        )
    return DrawnMeasure(
        table=table,
        lines=lines,
        rating_axis=draw_axis(rating_ends, mark=MEAN_POINTS),
        score_axis=draw_axis(score_ends),
    )


def mean_columns(results: TournamentResult, agents: Sequence[str]) -> MeanColumns:
    """Measure → each agent's mean score with its interval, on the measure's own scale."""
    rows = []
    for measure, table in results.standings.tables.items():
        by_agent = {standing.agent: standing for standing in table.standings}
        ends = results.scales.get(measure, SHARE_SCALE)
        cells = []
        for agent in agents:
            score = by_agent[agent].score
            figure = (
                draw_interval(score.mean, score.low, score.high, ends, small=True)
                if score
                else Markup()
            )
            cells.append((by_agent[agent], figure))
        rows.append((measure, cells, ends))
    return rows


def win_matrix(table: MeasureStandings) -> WinMatrix:
    """Agent → its games against each agent, and the class of their colour: by the share won, a tie
    counting half.
    """
    agents = [standing.agent for standing in table.standings]
    return [
        (agent, [_cell(table.win_records.get((agent, other))) for other in agents])
        for agent in agents
    ]


def _cell(record: WinRecord | None) -> tuple[WinRecord | None, str]:
    if record is None or not record.games:
        return None, "none"
    share = (record.wins + record.ties / 2) / record.games
    step = round((share - 0.5) * 12)
    return (
        record,
        "even" if step == 0 else f"{'ahead' if step > 0 else 'behind'}{min(3, abs(step))}",
    )


def draw_differences(
    differences: Mapping[str, Difference], ends: Mapping[str, tuple[float, float]] | None = None
) -> list[ComparedMeasure]:
    """Differences drawn around zero as shares of their measure's scale, all on one axis.

    Args:
        differences: by measure.
        ends: of the measures' scales; default: 0 to 1.
    """
    shares: dict[str, tuple[float | None, float | None, float | None]] = {}
    for measure, difference in differences.items():
        low, high = (ends or {}).get(measure, SHARE_SCALE)
        paired, width = difference.comparison, high - low
        shares[measure] = (
            paired.mean / width,
            None if paired.low is None else paired.low / width,
            None if paired.high is None else paired.high / width,
        )
    most = max((abs(v) for values in shares.values() for v in values if v is not None), default=0.0)
    reach = next((reach for reach in REACHES if most <= reach), REACHES[-1])
    return [
        ComparedMeasure(
            measure=measure,
            difference=difference,
            figure=draw_interval(*shares[measure], ends=(-reach, reach), mark=0.0),
            axis=draw_axis((-reach, reach), mark=0.0),
        )
        for measure, difference in differences.items()
    ]
