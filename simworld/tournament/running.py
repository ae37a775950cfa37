"""Playing a tournament: what is missing is played, what is unjudged is judged, round by round where pairs depend on results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from simworld.analysis.arms import OVERALL
from simworld.analysis.games import count_cells
from simworld.core.protocols import Backend
from simworld.judging.run import JudgingRun, Tally
from simworld.judging.spec import JudgeSpec
from simworld.runner.models import Crew, borrow
from simworld.runner.stored import Progress, run_plan
from simworld.tournament.budget import Spending
from simworld.tournament.loading import Tournament
from simworld.tournament.plan import matches_of, plan_of
from simworld.tournament.results import judge_ids, scores
from store import Store

OpenJudge = Callable[[JudgeSpec], AbstractContextManager[Backend]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how far it is."""

    playing: Callable[[Progress], None] = lambda progress: None
    judging: Callable[[str, Tally], None] = lambda judge, tally: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command did."""

    played: int
    failed: int
    spent: str  # of what the budget ran out; empty if of nothing
    tallies: Mapping[str, Tally]  # by judge, of the last round


def play_tournament(
    tournament: Tournament,
    crew: Crew,
    store: Store,
    *,
    open_judge: OpenJudge,
    retry_failed: bool = False,
    live: int = 32,
    watch: Watch | None = None,
) -> Ran:
    """Plays and judges what is missing; safe to kill at any moment and to start again.

    When the budget is spent, what was played is still judged.

    Args:
        tournament: what is played, as one run of its name.
        crew: agents and backends for it.
        store: where the run is begun or resumed.
        open_judge: a judge's model, open for a block.
        retry_failed: play and judge again what failed.
        live: conversations under way at once.
        watch: who is told how far it is.

    Raises:
        ResumeRefused: the run exists with other content.
        StoreError: the database cannot be written; what was committed stays.
        ModelError: a judge's model cannot be loaded.
    """
    watch = watch or Watch()
    spending = Spending(tournament.file.budget)
    played = failed = 0
    tallies: dict[str, Tally] = {}

    def on_progress(progress: Progress) -> None:
        spending.seen(progress)
        watch.playing(progress)

    for number in range(1, (tournament.file.rounds or 1) + 1):
        plan = plan_of(
            tournament, matches_of(tournament, lambda casts: points(tournament, store, casts), rounds=number)
        )
        progress = run_plan(
            plan,
            crew,
            store,
            retry_failed=retry_failed,
            live=live,
            on_progress=on_progress,
            go_on=spending.may_begin,
        )
        spending.next_round()
        played, failed = played + progress.played, failed + progress.failed
        for judge in tournament.judges:
            with open_judge(judge) as backend:
                judging = JudgingRun(store, judge, backend, run=tournament.name, retry_failed=retry_failed)
                tallies[judge.name] = judging.go(on_progress=partial(watch.judging, judge.name))
        if spending.spent:
            break
    return Ran(played=played, failed=failed, spent=spending.spent, tallies=tallies)


def points(tournament: Tournament, store: Store, casts: frozenset[frozenset[str]]) -> dict[str, float]:
    """Agent → games won, a tie counting half, by the first judge's `overall` in episodes of these casts."""
    ids = judge_ids(store, tournament.name, tournament.judges[0])
    found: dict[str, float] = {}
    for game in count_cells(scores(tournament, store, ids, casts=casts)).games:
        if game.dimension == OVERALL:
            found[game.first] = found.get(game.first, 0.0) + game.wins + game.ties / 2
            found[game.second] = found.get(game.second, 0.0) + game.losses + game.ties / 2
    return found


def judges_of(crew: Crew, *, threads: int | None = None) -> OpenJudge:
    """A judge's model: the crew's where it has it, else loaded for the block."""
    return lambda spec: borrow(crew, spec.model, spec.dtype, threads=threads)
