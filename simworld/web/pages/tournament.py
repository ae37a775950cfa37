"""Tournaments: who is better and how sure that is; two agents side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.core.errors import InputError
from simworld.judging.judge_warnings import judge_warnings
from simworld.results.differences import Difference
from simworld.results.episode_pairs import EpisodePair, pair_episodes
from simworld.results.episode_scores import EpisodeScores, read_episode_scores
from simworld.results.score_reading import measure_scales
from simworld.results.shared_cells import SharedCells
from simworld.results.standings import MeasureStandings, Standing, WinRecord
from simworld.stats.ratings import MEAN_POINTS
from simworld.tournament.loaded_tournament import Tournament
from simworld.tournament.results import TournamentResult, compare_by_ids, results_by_ids
from simworld.tournament.stored_tournament import stored_judges, stored_tournament
from simworld.tournament.tournament_plan import compared_seats, seat_filter
from simworld.web.app_state import AppState
from simworld.web.figures.intervals import axis, interval
from simworld.web.figures.scales import span
from simworld.web.page import Page
from simworld.web.page_request import PageRequest
from simworld.web.pages import episode
from simworld.web.pages.scenario import find_scenario
from simworld.web.titles import scenario_titles
from store import EpisodeSummary, SeatRecord, Store

PAIRS = 20
SHARES = (0.0, 1.0)  # the scale of a measure that is a share of its range
# points on either side of the middle that a rating's axis shows at least: odds of three to one
RATED = 200.0
# shares of the range that an axis of differences may show on either side
AXIS_LIMITS = (0.25, 0.5, 1.0)
# Measure, each agent's mean score with its interval, and the ends of its scale
MeanColumns = list[tuple[str, list[tuple[Standing, Markup]], tuple[float, float]]]
# Agent, and its games against each agent with the class of their colour
WinMatrix = list[tuple[str, list[tuple[WinRecord | None, str]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenJudge:
    """A run and one of its judges, as the address names them."""

    runs: Sequence[str]
    tournament: Tournament
    scenarios: Mapping[str, str]  # id → title
    # whether agents are compared in a seat of an episode
    counts: Callable[[EpisodeSummary, SeatRecord], bool]
    judges: Mapping[str, tuple[str, ...]]  # name → ids, one for each rubric
    judge: str | None  # name; None where nobody has judged

    @property
    def run(self) -> str:
        """The run's name."""
        return self.tournament.name

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the judge."""
        return () if self.judge is None else self.judges[self.judge]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedEpisode:
    """One of two episodes that are read side by side."""

    agent: str
    pair: EpisodePair
    transcript: Sequence[episode.TranscriptLine]
    language: str  # of its scenario
    page: str  # id


def standings(state: AppState, store: Store, request: PageRequest) -> Page:
    """Ratings, scores and games of a run's agents by one judge, on one measure."""
    chosen = choose_run_and_judge(state, store, request)
    title = "Standings"
    if chosen is None or chosen.judge is None:
        return Page(
            template="standings.html", title=title, values={"chosen": chosen, "results": None}
        )
    results = results_of(state, store, chosen)
    measures = list(results.standings.tables)
    measure = request.one_of("measure", measures) or measures[0]
    table = results.standings.tables[measure]
    return Page(
        template="standings.html",
        title=f"{title} of {chosen.tournament.file.title or chosen.run}",
        values={
            "chosen": chosen,
            "results": results,
            "measures": measures,
            "measure": measure,
            "drawn": draw_measure(table, results.scales.get(measure, SHARES)),
            "means": mean_columns(results, [standing.agent for standing in table.standings]),
            "matrix": win_matrix(table),
            "ids": store.run_agents(chosen.run),
        },
    )


def results_of(state: AppState, store: Store, chosen: ChosenJudge) -> TournamentResult:
    """The results of a run by its chosen judge, who must be there."""
    judge = chosen.judge or ""
    return state.remember(
        ("standings", chosen.run, judge),
        lambda: results_by_ids(chosen.tournament, store, judge, chosen.ids),
        stamp=store.cells_fingerprint(chosen.run),
    )


def compare(state: AppState, store: Store, request: PageRequest) -> Page:
    """Two agents: their differences over all scenarios, and in one scenario episode beside
    episode.
    """
    chosen = choose_run_and_judge(state, store, request)
    values: dict[str, object] = {"chosen": chosen}
    if chosen is None:
        return Page(template="compare.html", title="Compare", values=values)
    agents = chosen.tournament.agents
    first, second = request.one_of("first", agents), request.one_of("second", agents)
    if first is not None and first == second:
        raise InputError(f"{first!r} is compared with itself; choose two agents")
    shared = state.remember(
        ("shared", chosen.run),
        lambda: shared_cells(store, chosen.tournament),
        stamp=store.cells_fingerprint(chosen.run),
    )
    first, second = shared.most_shared_pair(agents, first, second)
    scenario = request.one_of("scenario", list(chosen.scenarios))
    if scenario is None and first is not None and second is not None:
        scenario = shared.most_shared_scenario(first, second, list(chosen.scenarios))
    values |= {"first": first, "second": second, "scenario": scenario}
    if first is None or second is None or scenario is None:
        return Page(template="compare.html", title="Compare", values=values)
    values["compared"] = differences_by_measure(state, store, chosen, first, second)
    values["cautions"] = state.remember(
        ("cautions", chosen.run, chosen.judge or ""),
        lambda: judge_warnings(store, chosen.ids, run=chosen.run),
        stamp=store.cells_fingerprint(chosen.run),
    )
    values |= in_scenario(store, request, chosen, (first, second), scenario)
    return Page(template="compare.html", title=f"{first} beside {second}", values=values)


def in_scenario(
    store: Store, request: PageRequest, chosen: ChosenJudge, agents: tuple[str, str], scenario: str
) -> dict[str, object]:
    """The pairs of episodes of two agents in a scenario, a page of them, and one pair to read."""
    matched = pair_episodes(store, chosen.run, scenario, *agents, is_compared=chosen.counts)
    page = request.whole("page", low=1, high=1_000_000, default=1)
    begin = (page - 1) * PAIRS
    number = request.whole(
        "pair", low=1, high=max(1, len(matched)), default=min(begin + 1, max(1, len(matched)))
    )
    shown = matched[begin : begin + PAIRS]
    read = matched[number - 1] if matched else None
    judges = [judge for judge in store.judges() if judge.id in chosen.ids]
    needed = [
        side.id
        for pair in (*shown, *([read] if read else []))
        for side in (pair.first, pair.second)
    ]
    seen = read_episode_scores(store, judges, needed)
    return {
        "pairs": [(i, pair, overall_scores(seen, pair)) for i, pair in enumerate(shown, begin + 1)],
        "page": page,
        "more": len(matched) > begin + PAIRS,
        "number": number,
        "pair": read,
        "sides": [compared_episode(store, agent, read, id_) for agent, id_ in _sides(*agents, read)]
        if read
        else [],
        "dimensions": dimension_scores(seen, read) if read else [],
    }


def choose_run_and_judge(state: AppState, store: Store, request: PageRequest) -> ChosenJudge | None:
    """The run and judge that are asked for; by default the latest run and its first judge. None
    where there is no run.
    """
    runs = state.remember("names", store.filter_names).runs
    run = request.text("run") or next(iter(runs), None)
    if run is None:
        return None
    tournament, scenarios, counts = state.remember(
        ("tournament", run), lambda: _stored_tournament(store, run)
    )
    judges = state.remember(("judges", run), lambda: stored_judges(store, run))
    judge = request.one_of("judge", list(judges)) or next(iter(judges), None)
    return ChosenJudge(
        runs=runs if run in runs else (run, *runs),
        tournament=tournament,
        scenarios=scenarios,
        counts=counts,
        judges=judges,
        judge=judge,
    )


def shared_cells(store: Store, tournament: Tournament) -> SharedCells:
    """Who of a tournament has sat in the same seat beside the same partners, and how often."""
    seats = {
        scenario.id: [seat.name for seat in scenario.seats] for scenario in tournament.scenarios
    }
    return SharedCells.read(store, tournament.name, seats, compared=compared_seats(tournament))


def _stored_tournament(
    store: Store, run: str
) -> tuple[Tournament, dict[str, str], Callable[[EpisodeSummary, SeatRecord], bool]]:
    tournament = stored_tournament(store, run)
    titles = scenario_titles(tournament.scenarios)
    return tournament, titles, seat_filter(tournament)


def draw_measure(table: MeasureStandings, score_ends: tuple[float, float]) -> DrawnMeasure:
    """A table of standings with an interval for each number, ratings on one axis and scores on
    their own scale.
    """
    ratings = [standing.rating for standing in table.standings if standing.rating]
    shown = [v for r in ratings for v in (r.points, r.low, r.high)]
    rating_ends = span([*shown, MEAN_POINTS - RATED, MEAN_POINTS + RATED])
    lines = []
    for standing in table.standings:
        rating, score = standing.rating, standing.score
        lines.append(
            StandingLine(
                standing=standing,
                rating=interval(
                    rating.points, rating.low, rating.high, rating_ends, mark=MEAN_POINTS
                )
                if rating
                else Markup(),
                score=interval(score.mean, score.low, score.high, score_ends)
                if score
                else Markup(),
                lost=rating.games - rating.wins - rating.ties if rating else 0,
            )
        )
    return DrawnMeasure(
        table=table,
        lines=lines,
        rating_axis=axis(rating_ends, mark=MEAN_POINTS),
        score_axis=axis(score_ends),
    )


def mean_columns(results: TournamentResult, agents: Sequence[str]) -> MeanColumns:
    """Measure → each agent's mean score with its interval, on the measure's own scale."""
    rows = []
    for measure, table in results.standings.tables.items():
        by_agent = {standing.agent: standing for standing in table.standings}
        ends = results.scales.get(measure, SHARES)
        cells = []
        for agent in agents:
            score = by_agent[agent].score
            drawn_ = (
                interval(score.mean, score.low, score.high, ends, small=True) if score else Markup()
            )
            cells.append((by_agent[agent], drawn_))
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


def differences_by_measure(
    state: AppState, store: Store, chosen: ChosenJudge, first: str, second: str
) -> list[ComparedMeasure]:
    """The differences on every measure."""
    if chosen.judge is None:
        return []
    key = ("differences", chosen.run, chosen.judge, first, second)
    differences = state.remember(
        key,
        lambda: compare_by_ids(chosen.tournament, store, chosen.ids, first, second),
        stamp=store.cells_fingerprint(chosen.run),
    )
    return draw_differences(differences, measure_scales(store, chosen.ids))


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
        low, high = (ends or {}).get(measure, SHARES)
        paired, width = difference.comparison, high - low
        shares[measure] = (
            paired.mean / width,
            None if paired.low is None else paired.low / width,
            None if paired.high is None else paired.high / width,
        )
    most = max((abs(v) for values in shares.values() for v in values if v is not None), default=0.0)
    reach = next((reach for reach in AXIS_LIMITS if most <= reach), AXIS_LIMITS[-1])
    return [
        ComparedMeasure(
            measure=measure,
            difference=difference,
            figure=interval(*shares[measure], ends=(-reach, reach), mark=0.0),
            axis=axis((-reach, reach), mark=0.0),
        )
        for measure, difference in differences.items()
    ]


def overall_scores(
    scores: Mapping[tuple[str, str], EpisodeScores], pair: EpisodePair
) -> tuple[float | None, float | None, float | None]:
    """The overall scores of a pair and their difference, as far as there are any."""
    first, second = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    a, b = (None if scored is None else scored.overall for scored in (first, second))
    return a, b, None if a is None or b is None else a - b


def dimension_scores(
    scores: Mapping[tuple[str, str], EpisodeScores], pair: EpisodePair
) -> list[tuple[str, float | None, float | None, float | None]]:
    """Dimension, its score in either episode, and the difference."""
    first, second = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    names = dict.fromkeys(
        name for scored in (first, second) if scored is not None for name in scored.dimensions
    )
    rows = []
    for name in names:
        a, b = (
            None if scored is None else scored.dimensions.get(name) for scored in (first, second)
        )
        rows.append((name, a, b, None if a is None or b is None else a - b))
    return rows


def compared_episode(store: Store, agent: str, pair: EpisodePair, id_: str) -> ComparedEpisode:
    """One of two episodes, to be read."""
    episode.check_size(store, id_)
    stored = store.episode(id_, vectors=False)
    scenario = find_scenario(store, stored.summary.scenario_id)
    return ComparedEpisode(
        agent=agent,
        pair=pair,
        transcript=episode.transcript_lines(stored, scenario, episode.seat_names(stored.summary)),
        language=scenario.language,
        page=id_,
    )


def _sides(first: str, second: str, pair: EpisodePair) -> tuple[tuple[str, str], ...]:
    return (first, pair.first.id), (second, pair.second.id)
