"""Tournaments: who is better and how sure that is; two agents side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.analysis.compare import Difference
from simworld.analysis.side_by_side import Pair, Scores, pairs, scores_of
from simworld.analysis.standings import Record, Standing, Table
from simworld.core.errors import InputError
from simworld.core.measures import SOTOPIA_MEAN
from simworld.core.ratings import CENTRE
from simworld.tournament.loading import Tournament
from simworld.tournament.plan import seat_counts
from simworld.tournament.results import Results, differences_by, results_by
from simworld.tournament.stored import stored_judges, stored_tournament
from simworld.web.desk import Desk
from simworld.web.figures.intervals import axis, interval
from simworld.web.figures.scales import span
from simworld.web.given import Given
from simworld.web.page import Page
from simworld.web.pages import episode
from store import EpisodeSummary, SeatRecord, Store

PAIRS = 20
# Measure, each agent's mean score with its interval, and the axis of these
Means = list[tuple[str, list[tuple[Standing, Markup]], Markup]]
# Agent, and its games against each agent with the class of their colour
Matrix = list[tuple[str, list[tuple[Record | None, str]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run and one of its judges, as the address names them."""

    runs: Sequence[str]
    tournament: Tournament
    scenarios: Mapping[str, str]  # id → title
    counts: Callable[[EpisodeSummary, SeatRecord], bool]  # whether agents are compared in a seat of an episode
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
class Line:
    """One agent in a table of standings."""

    standing: Standing
    rating: Markup
    score: Markup
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A measure's table with its figures."""

    table: Table
    lines: Sequence[Line]
    rating_axis: Markup
    score_axis: Markup
    score_ends: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One measure of two agents."""

    measure: str
    difference: Difference
    figure: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two episodes that are read side by side."""

    agent: str
    pair: Pair
    transcript: Sequence[episode.Line]
    page: str  # id


def standings(desk: Desk, store: Store, given: Given) -> Page:
    """Ratings, scores and games of a run's agents by one judge, on one measure."""
    chosen = choose(desk, store, given)
    title = "Standings"
    if chosen is None or chosen.judge is None:
        return Page(template="standings.html", title=title, values={"chosen": chosen, "found": None})
    judge = chosen.judge
    key = ("standings", chosen.run, judge)
    found = desk.remember(
        key, lambda: results_by(chosen.tournament, store, judge, chosen.ids), stamp=store.cells_size(chosen.run)
    )
    measures = list(found.standings.tables)
    measure = given.one_of("measure", measures) or measures[0]
    table = found.standings.tables[measure]
    return Page(
        template="standings.html",
        title=f"{title} of {chosen.tournament.file.title or chosen.run}",
        values={
            "chosen": chosen,
            "found": found,
            "measures": measures,
            "measure": measure,
            "drawn": drawn(table),
            "means": means(found, [standing.agent for standing in table.standings]),
            "matrix": matrix(table),
            "ids": store.run_agents(chosen.run),
        },
    )


def compare(desk: Desk, store: Store, given: Given) -> Page:
    """Two agents: their differences over all scenarios, and in one scenario episode beside episode."""
    chosen = choose(desk, store, given)
    values: dict[str, object] = {"chosen": chosen}
    if chosen is None:
        return Page(template="compare.html", title="Compare", values=values)
    agents = chosen.tournament.agents
    first = given.one_of("first", agents) or next(iter(agents), None)
    second = given.one_of("second", agents) or next((name for name in agents if name != first), None)
    scenario = given.one_of("scenario", list(chosen.scenarios)) or next(iter(chosen.scenarios), None)
    if first is not None and first == second:
        raise InputError(f"{first!r} is compared with itself; choose two agents")
    values |= {"first": first, "second": second, "scenario": scenario}
    if first is None or second is None or scenario is None:
        return Page(template="compare.html", title="Compare", values=values)
    values["compared"] = over_all(desk, store, chosen, first, second)
    values |= in_scenario(store, given, chosen, (first, second), scenario)
    return Page(template="compare.html", title=f"{first} beside {second}", values=values)


def in_scenario(
    store: Store, given: Given, chosen: Chosen, agents: tuple[str, str], scenario: str
) -> dict[str, object]:
    """The pairs of episodes of two agents in a scenario, a page of them, and one pair to read."""
    found = pairs(store, chosen.run, scenario, *agents, counts=chosen.counts)
    page = given.whole("page", low=1, high=1_000_000, default=1)
    begin = (page - 1) * PAIRS
    number = given.whole("pair", low=1, high=max(1, len(found)), default=min(begin + 1, max(1, len(found))))
    shown = found[begin : begin + PAIRS]
    read = found[number - 1] if found else None
    judges = [judge for judge in store.judges() if judge.id in chosen.ids]
    needed = [side.id for pair in (*shown, *([read] if read else [])) for side in (pair.first, pair.second)]
    seen = scores_of(store, judges, needed)
    return {
        "pairs": [(i, pair, overall(seen, pair)) for i, pair in enumerate(shown, begin + 1)],
        "page": page,
        "more": len(found) > begin + PAIRS,
        "number": number,
        "pair": read,
        "sides": [side(store, agent, read, id_) for agent, id_ in _sides(*agents, read)] if read else [],
        "dimensions": dimensions(seen, read) if read else [],
    }


def choose(desk: Desk, store: Store, given: Given) -> Chosen | None:
    """The run and judge that are asked for; by default the latest run and its first judge. None where there is no run."""
    runs = desk.remember("names", store.names).runs
    run = given.text("run") or next(iter(runs), None)
    if run is None:
        return None
    tournament, scenarios, counts = desk.remember(("tournament", run), lambda: _asked(store, run))
    judges = desk.remember(("judges", run), lambda: stored_judges(store, run))
    judge = given.one_of("judge", list(judges)) or next(iter(judges), None)
    return Chosen(
        runs=runs if run in runs else (run, *runs),
        tournament=tournament,
        scenarios=scenarios,
        counts=counts,
        judges=judges,
        judge=judge,
    )


def _asked(store: Store, run: str) -> tuple[Tournament, dict[str, str], Callable[[EpisodeSummary, SeatRecord], bool]]:
    found = stored_tournament(store, run)
    titles = {scenario.id: scenario.title or scenario.name for scenario in found.scenarios}
    return found, titles, seat_counts(found)


def drawn(table: Table) -> Drawn:
    """A table of standings with an interval for each number, all on one axis."""
    ratings = [standing.rating for standing in table.standings if standing.rating]
    scores = [standing.score for standing in table.standings if standing.score]
    rating_ends = span([v for r in ratings for v in (r.points, r.low, r.high)], around=CENTRE if ratings else None)
    score_ends = span([v for s in scores for v in (s.mean, s.low, s.high)])
    lines = []
    for standing in table.standings:
        rating, score = standing.rating, standing.score
        lines.append(
            Line(
                standing=standing,
                rating=interval(rating.points, rating.low, rating.high, rating_ends, mark=CENTRE)
                if rating
                else Markup(),
                score=interval(score.mean, score.low, score.high, score_ends) if score else Markup(),
                lost=rating.games - rating.wins - rating.ties if rating else 0,
            )
        )
    return Drawn(
        table=table,
        lines=lines,
        rating_axis=axis(rating_ends, mark=CENTRE),
        score_axis=axis(score_ends),
        score_ends=score_ends,
    )


def means(found: Results, agents: Sequence[str]) -> Means:
    """Measure → each agent's mean score with its interval, on the measure's axis."""
    rows = []
    for measure, table in found.standings.tables.items():
        by_agent = {standing.agent: standing for standing in table.standings}
        scores = [standing.score for standing in table.standings if standing.score]
        ends = span([v for s in scores for v in (s.mean, s.low, s.high)])
        cells = []
        for agent in agents:
            score = by_agent[agent].score
            drawn_ = interval(score.mean, score.low, score.high, ends, small=True) if score else Markup()
            cells.append((by_agent[agent], drawn_))
        rows.append((measure, cells, axis(ends, small=True)))
    return rows


def matrix(table: Table) -> Matrix:
    """Agent → its games against each agent, and the class of their colour: by the share won, a tie counting half."""
    agents = [standing.agent for standing in table.standings]
    return [(agent, [_cell(table.records.get((agent, other))) for other in agents]) for agent in agents]


def _cell(record: Record | None) -> tuple[Record | None, str]:
    if record is None or not record.games:
        return None, "none"
    share = (record.wins + record.ties / 2) / record.games
    step = round((share - 0.5) * 12)
    return record, "even" if step == 0 else f"{'ahead' if step > 0 else 'behind'}{min(3, abs(step))}"


def over_all(desk: Desk, store: Store, chosen: Chosen, first: str, second: str) -> list[Compared]:
    """The differences on every measure."""
    if chosen.judge is None:
        return []
    key = ("differences", chosen.run, chosen.judge, first, second)
    found = desk.remember(
        key,
        lambda: differences_by(chosen.tournament, store, chosen.ids, first, second),
        stamp=store.cells_size(chosen.run),
    )
    return drawn_differences(found)


def drawn_differences(found: Mapping[str, Difference]) -> list[Compared]:
    """Differences drawn around zero, all on one axis; `sotopia_mean`, which is no share, has its own."""
    shares = [d.paired for measure, d in found.items() if measure != SOTOPIA_MEAN]
    reach = max((abs(v) for p in shares for v in (p.mean, p.low, p.high) if v is not None), default=0.1) * 1.1 or 0.1
    rows = []
    for measure, difference in found.items():
        paired = difference.paired
        own = max(abs(v) for v in (paired.mean, paired.low, paired.high, 0.01) if v is not None) * 1.1
        ends = (-own, own) if measure == SOTOPIA_MEAN else (-reach, reach)
        figure = interval(paired.mean, paired.low, paired.high, ends, mark=0.0)
        rows.append(Compared(measure=measure, difference=difference, figure=figure))
    return rows


def overall(scores: Mapping[tuple[str, str], Scores], pair: Pair) -> tuple[float | None, float | None, float | None]:
    """The overall scores of a pair and their difference, as far as there are any."""
    one, two = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    a, b = (None if found is None else found.overall for found in (one, two))
    return a, b, None if a is None or b is None else a - b


def dimensions(
    scores: Mapping[tuple[str, str], Scores], pair: Pair
) -> list[tuple[str, float | None, float | None, float | None]]:
    """Dimension, its score in either episode, and the difference."""
    one, two = (scores.get((id_, pair.seat)) for id_ in (pair.first.id, pair.second.id))
    names = dict.fromkeys(name for found in (one, two) if found is not None for name in found.dimensions)
    rows = []
    for name in names:
        a, b = (None if found is None else found.dimensions.get(name) for found in (one, two))
        rows.append((name, a, b, None if a is None or b is None else a - b))
    return rows


def side(store: Store, agent: str, pair: Pair, id_: str) -> Side:
    """One of two episodes, to be read."""
    episode.check_size(store, id_)
    stored = store.episode(id_, vectors=False)
    return Side(
        agent=agent,
        pair=pair,
        transcript=episode.lines(stored, episode.names(stored.summary)),
        page=id_,
    )


def _sides(first: str, second: str, pair: Pair) -> tuple[tuple[str, str], ...]:
    return (first, pair.first.id), (second, pair.second.id)
