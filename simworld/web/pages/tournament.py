"""Tournaments: who is better and how sure that is; two agents side by side."""

from __future__ import annotations

from simworld.core.errors import InputError
from simworld.judging.judge_warnings import judge_warnings
from simworld.results.score_reading import measure_scales
from simworld.results.shared_cells import SharedCells
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.results import compare_by_ids
from simworld.tournaments.tournament_plan import compared_seats
from simworld.web.app_state import AppState
from simworld.web.compared_episodes import compared_episodes
from simworld.web.compared_traits import compared_traits
from simworld.web.page import Page
from simworld.web.page_request import PageRequest
from simworld.web.run_and_judge import RunAndJudge, choose_run_and_judge, results_of
from simworld.web.standings_figures import (
    SHARE_SCALE,
    ComparedMeasure,
    draw_differences,
    draw_measure,
    mean_columns,
    win_matrix,
)
from store import Store


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
    measure = request.choice("measure", measures) or measures[0]
    table = results.standings.tables[measure]
    return Page(
        template="standings.html",
        title=f"{title} of {chosen.tournament.file.title or chosen.run}",
        values={
            "chosen": chosen,
            "results": results,
            "measures": measures,
            "measure": measure,
            "drawn": draw_measure(table, results.scales.get(measure, SHARE_SCALE)),
            "means": mean_columns(results, [standing.agent for standing in table.standings]),
            "matrix": win_matrix(table),
            "ids": store.run_agents(chosen.run),
        },
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
    first, second = request.choice("first", agents), request.choice("second", agents)
    if first is not None and first == second:
        raise InputError(f"{first!r} is compared with itself; choose two agents")
    shared = state.cached(
        ("shared", chosen.run),
        lambda: shared_cells(store, chosen.tournament),
        version=store.cells_fingerprint(chosen.run),
    )
    first, second = shared.most_shared_pair(agents, first, second)
    scenario = request.choice("scenario", list(chosen.scenarios))
    if scenario is None and first is not None and second is not None:
        scenario = shared.most_shared_scenario(first, second, list(chosen.scenarios))
    values |= {"first": first, "second": second, "scenario": scenario}
    if first is None or second is None or scenario is None:
        return Page(template="compare.html", title="Compare", values=values)
    values["compared"] = differences_by_measure(state, store, chosen, first, second)
    values["cautions"] = state.cached(
        ("cautions", chosen.run, chosen.judge or ""),
        lambda: judge_warnings(store, chosen.judge_ids, run=chosen.run),
        version=store.cells_fingerprint(chosen.run),
    )
    values["traits"] = compared_traits(state, store, chosen, first, second)
    values |= compared_episodes(store, request, chosen, (first, second), scenario)
    return Page(template="compare.html", title=f"{first} beside {second}", values=values)


def shared_cells(store: Store, tournament: Tournament) -> SharedCells:
    """Who of a tournament has sat in the same seat beside the same partners, and how often."""
    seats = {
        scenario.id: [seat.name for seat in scenario.seats] for scenario in tournament.scenarios
    }
    return SharedCells.read(store, tournament.name, seats, compared=compared_seats(tournament))


def differences_by_measure(
    state: AppState, store: Store, chosen: RunAndJudge, first: str, second: str
) -> list[ComparedMeasure]:
    """The differences on every measure."""
    if chosen.judge is None:
        return []
    key = ("differences", chosen.run, chosen.judge, first, second)
    differences = state.cached(
        key,
        lambda: compare_by_ids(chosen.tournament, store, chosen.judge_ids, first, second),
        version=store.cells_fingerprint(chosen.run),
    )
    return draw_differences(differences, measure_scales(store, chosen.judge_ids))
