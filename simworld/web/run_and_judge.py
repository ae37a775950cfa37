"""The run and the judge that an address names, and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.results import TournamentResult, results_by_ids
from simworld.tournaments.stored_tournament import stored_judges, stored_tournament
from simworld.tournaments.tournament_plan import seat_filter
from simworld.web.app_state import AppState
from simworld.web.page_request import PageRequest
from simworld.web.titles import scenario_titles
from store import EpisodeSummary, SeatRecord, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAndJudge:
    """A run and one of its judges, as the address names them."""

    runs: Sequence[str]
    tournament: Tournament
    scenarios: Mapping[str, str]  # id → title
    # whether agents are compared in a seat of an episode
    is_compared: Callable[[EpisodeSummary, SeatRecord], bool]
    judges: Mapping[str, tuple[str, ...]]  # name → ids, one for each rubric
    judge: str | None  # name; None where nobody has judged

    @property
    def run(self) -> str:
        """The run's name."""
        return self.tournament.name

    @property
    def judge_ids(self) -> tuple[str, ...]:
        """Of the judge."""
        return () if self.judge is None else self.judges[self.judge]


def choose_run_and_judge(state: AppState, store: Store, request: PageRequest) -> RunAndJudge | None:
    """The run and judge that are asked for; by default the latest run and its first judge. None
    where there is no run.
    """
    runs = state.cached("names", store.filter_names).runs
    run = request.text("run") or next(iter(runs), None)
    if run is None:
        return None
    tournament, scenarios, is_compared = state.cached(
        ("tournament", run), lambda: _stored_tournament(store, run)
    )
    judges = state.cached(("judges", run), lambda: stored_judges(store, run))
    judge = request.choice("judge", list(judges)) or next(iter(judges), None)
    return RunAndJudge(
        runs=runs if run in runs else (run, *runs),
        tournament=tournament,
        scenarios=scenarios,
        is_compared=is_compared,
        judges=judges,
        judge=judge,
    )


def results_of(state: AppState, store: Store, chosen: RunAndJudge) -> TournamentResult:
    """The results of a run by its chosen judge, who must be there."""
    judge = chosen.judge or ""
    return state.cached(
        ("standings", chosen.run, judge),
        lambda: results_by_ids(chosen.tournament, store, judge, chosen.judge_ids),
        version=store.cells_fingerprint(chosen.run),
    )


def _stored_tournament(
    store: Store, run: str
) -> tuple[Tournament, dict[str, str], Callable[[EpisodeSummary, SeatRecord], bool]]:
    tournament = stored_tournament(store, run)
    titles = scenario_titles(tournament.scenarios)
    return tournament, titles, seat_filter(tournament)
