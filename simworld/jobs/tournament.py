"""A tournament: the job of `simworld tournament run`, and `simworld.tournament`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.jobs.database import database_address, explaining_damage
from simworld.jobs.progress import tournament_bars
from simworld.jobs.report import JobReport, failure_summary
from simworld.jobs.settings import JobOptions, JobSettings, read_settings
from simworld.results.last_attempts import failed_attempts
from simworld.runner.stored_run import open_store_for
from simworld.tournaments.cost_estimate import estimate_cost
from simworld.tournaments.loaded_tournament import Tournament, load_tournament, read_tournament
from simworld.tournaments.play import TournamentListener, judge_opener, play_tournament
from simworld.tournaments.results import TournamentResult, tournament_results
from simworld.yamlfile import did_you_mean
from store import check_store, open_store

if TYPE_CHECKING:
    import pandas as pd

    from simworld.judging.judging_pass import JudgingTally
    from store import EpisodeSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentReport(JobReport):
    """What a tournament came to, as far as it is played and judged."""

    tournament: Tournament = field(repr=False)
    db: str = field(repr=False)  # it may hold a password
    played: int  # episodes, by this call
    failed: int  # of these
    left: int  # episodes that are still to play
    exhausted: str  # of what the tournament's budget ran out; empty if of nothing
    tallies: Mapping[str, JudgingTally] = field(repr=False)  # by judge, of the last round
    failures: tuple[EpisodeSummary, ...] = field(repr=False)  # last attempts that failed
    budget_spent: bool  # the budget of tokens had no room for the rest

    @property
    def run(self) -> str:
        """The name of the tournament, and of its run."""
        return self.tournament.name

    def results(self, judge: str | None = None) -> TournamentResult:
        """Everything that is known by one judge; default: the tournament's first. Raises InputError
        where nothing is scored.
        """
        with explaining_damage(self.db), open_store(self.db) as store:
            return tournament_results(self.tournament, store, self.tournament.judge(judge))

    def frame(self, measure: str = OVERALL, *, judge: str | None = None) -> pd.DataFrame:
        """The standings, the best rating first; columns as of `Analysis.standings`.

        Raises InputError where nothing is scored, and for a measure or judge that there is not.
        """
        from simworld.analysis.questions.standings import standings_frame

        standings = self.results(judge).standings
        if measure not in standings.tables:
            hint = did_you_mean(measure, tuple(standings.tables)) or (
                f"; there are {', '.join(standings.tables)}"
            )
            raise InputError(f"no measure {measure!r}{hint}")
        return standings_frame(standings, measure)

    def summary(self) -> str:
        """What was played and judged, and what failed."""
        lines = [
            f"tournament {self.run}: {counted(self.played, 'episode')} played"
            f" ({self.failed} failed), {self.left} left"
        ]
        if self.exhausted:
            lines.append(f"The budget of {self.exhausted} is spent; the same call plays on.")
        lines += failure_summary(self.failures, self.run)
        for judge, tally in self.tallies.items():
            if tally.last_failure is not None:
                lines.append(failed_judgements_line(judge, tally))
        if self.budget_spent:
            lines.append("The budget of tokens is spent; the same call goes on.")
        return "\n".join(lines)


def tournament(
    file: str | os.PathLike[str] | Mapping[str, Any] | Tournament,
    *,
    db: str | os.PathLike[str] | None = None,
    episodes: int | None = None,
    cache_bytes: int | None = None,
    **options: Unpack[JobOptions],
) -> TournamentReport:
    """Plays and judges what is missing of a tournament.

    The same call again goes on where it stopped; it stops when the budget is spent, with what was
    played judged.

    Args:
        file: a tournament file, the name of one, or what such a file holds (its keys as a mapping).
        db: the database, made where there is none; default: SIMWORLD_DB, else simworld.db here.
        episodes: begin at most so many; default: the file's budget.
        cache_bytes: for the caches of local models; default: a quarter of what is free.
        options: see `JobOptions`.

    Raises:
        InputError: everything wrong in what was given, at once; ResumeRefused where the run exists
            with other content.
        ModelError, MissingExtra: a model or its key is not there.
        StoreError: the database cannot be written; what was committed stays.
        Stopped: more failed than `max_failures` allows.
    """
    settings = read_settings("tournament", options, cache_bytes=cache_bytes)
    if episodes is not None and episodes < 1:
        raise InputError(f"episodes: expected a number from 1, found {episodes}")
    if isinstance(file, Tournament):
        loaded = file
    elif isinstance(file, Mapping):
        loaded = read_tournament(file)
    else:
        loaded = load_tournament(os.fspath(file))
    address = database_address(db)
    listen = tournament_bars if settings.progress else _listen_quietly
    with explaining_damage(address):
        return run_tournament(loaded, address, settings, episodes=episodes, listen=listen)


def run_tournament(
    tournament: Tournament,
    db: str,
    settings: JobSettings,
    *,
    episodes: int | None,
    listen: Callable[[], AbstractContextManager[TournamentListener]],
) -> TournamentReport:
    """Plays and judges what is missing.

    Args:
        tournament: with everything that it names.
        db: the database's address; it is made where there is none.
        settings: of the job.
        episodes: begin at most so many; default: the file's budget.
        listen: opens who is told while it goes on.
    """
    check_store(db)  # before the models are loaded
    budget = tournament.file.budget
    if episodes is not None:
        budget = budget.model_copy(update={"episodes": episodes})
    with (
        settings.open_agents(tournament.specs.values()) as agent_pool,
        open_store_for(agent_pool, db) as store,
    ):
        with listen() as listener:
            outcome = play_tournament(
                tournament,
                agent_pool,
                store,
                open_judge=judge_opener(
                    agent_pool, cpu_threads=settings.cpu_threads, server=settings.server
                ),
                budget=budget,
                retry_failed=settings.retry_failed,
                max_live=settings.max_live,
                listener=listener,
                stopping=settings.stopping,
            )
        stopped_early = bool(outcome.exhausted) or settings.stopping.budget_exhausted
        return TournamentReport(
            tournament=tournament,
            db=db,
            played=outcome.played,
            failed=outcome.failed,
            left=estimate_cost(tournament, store).left if stopped_early else 0,
            exhausted=outcome.exhausted,
            tallies=outcome.tallies,
            failures=failed_attempts(store, tournament.name),
            budget_spent=settings.stopping.budget_exhausted,
        )


def failed_judgements_line(judge: str, tally: JudgingTally) -> str:
    """How many judgements of a judge failed, and the last failure."""
    return f"{counted(tally.failed, 'judgement')} by {judge} failed, the last: {tally.last_failure}"


@contextmanager
def _listen_quietly() -> Iterator[TournamentListener]:
    yield TournamentListener()
