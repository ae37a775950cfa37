"""Judging stored episodes: the job of `simworld judge run`, and `simworld.judge`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.jobs.database import database_address, explaining_damage
from simworld.jobs.progress import judging_bar
from simworld.jobs.report import JobReport
from simworld.jobs.settings import JobOptions, JobSettings, read_settings
from simworld.judging.judge_spec import DEFAULT_JUDGE, JudgeSpec, check_judge, load_judge
from simworld.judging.judge_warnings import judge_warnings, scoring_ids
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from simworld.judging.swapped_dialogue import Swap
from simworld.runner.agent_pool import open_lazy_backend
from simworld.runner.profiler import Profiler
from store import Store, open_store

if TYPE_CHECKING:
    import pandas as pd

    from simworld.core.profile import Profile

JudgeLike = str | os.PathLike[str] | JudgeSpec
OnTally = Callable[[JudgingTally], None]

_SCORES = """
SELECT episode_id AS episode, run, scenario_name AS scenario, family, repeat, seat,
       agent_name AS agent, dimension, score, rescaled AS share, sample,
       judge_name AS judge, judge_id
FROM episode_scores
WHERE judge_id IN ({judges}) AND {condition}
ORDER BY run, scenario_name, episode_id, seat, dimension, sample
"""


class PlayedRun(Protocol):
    """A report of a run in a database."""

    @property
    def run(self) -> str:
        """The run's name."""

    @property
    def db(self) -> str:
        """The database's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingReport(JobReport):
    """What judging came to."""

    run: str | None  # None: every run
    episodes: tuple[str, ...] = field(repr=False)  # ids, where some were chosen; else empty
    db: str = field(repr=False)  # it may hold a password
    tally: JudgingTally
    cautions: tuple[str, ...]  # what a reader must know of the judge, a line each
    budget_spent: bool  # some were not judged, for the budget's sake
    profile: Profile = field(repr=False)  # where the time went

    @property
    def judge_ids(self) -> tuple[str, ...]:
        """The ids that its scores carry, one for each rubric."""
        return self.tally.judge_ids

    @property
    def scored(self) -> int:
        """Judgements made by this call."""
        return self.tally.scored

    @property
    def failed(self) -> int:
        """Judgements that failed in this call."""
        return self.tally.failed

    @property
    def already_judged(self) -> int:
        """Judgements that were there before."""
        return self.tally.already_judged

    def frame(self) -> pd.DataFrame:
        """The scores by this judge: a row for each episode, seat and dimension.

        Columns: `episode` (id), `run`, `scenario`, `family`, `repeat`, `seat`, `agent`,
        `dimension`, `score` (in the dimension's range), `share` (of the range, 0 to 1), `sample`,
        `judge`, `judge_id`.
        """
        from simworld.analysis.connect import connect

        values: dict[str, Any] = {f"judge{n}": id_ for n, id_ in enumerate(self.judge_ids)}
        judges = ", ".join(f":{name}" for name in values)
        condition = "1 = 1" if self.run is None else "run = :run"
        if self.run is not None:
            values["run"] = self.run
        with connect(self.db) as analysis:
            frame = analysis.sql(
                _SCORES.format(judges=judges, condition=condition), limit=0, **values
            )
        if self.episodes:
            frame = frame[frame["episode"].isin(self.episodes)].reset_index(drop=True)
        return frame

    @property
    def headline(self) -> str:
        """What was judged, in a line."""
        return tally_line(self.tally)

    def summary(self) -> str:
        """What was judged, what failed, and what a reader must know of the judge."""
        lines = [f"judge {', '.join(self.judge_ids)}: {self.headline}"]
        if self.tally.last_failure is not None:
            lines.append(
                f"  {counted(self.failed, 'judgement')} failed, the last: {self.tally.last_failure}"
            )
        if self.budget_spent:
            lines.append("The budget of tokens is spent; the same call judges on.")
        return "\n".join([*lines, *(f"Note: {caution}" for caution in self.cautions)])


def judge(
    what: str | PlayedRun | Iterable[str] | None = None,
    judge: JudgeLike = DEFAULT_JUDGE,
    *,
    db: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    swap: Swap | None = None,
    **options: Unpack[JobOptions],
) -> JudgingReport:
    """Judges stored episodes, each judgement stored as it ends.

    The same call again judges what is missing and nothing else.

    Args:
        what: a run's name, the report of one, or episode ids (a list, a column of a frame);
            default: every run.
        judge: a shipped judge's name, a file, or a `JudgeSpec`.
        db: the database; default: the report's, else SIMWORLD_DB, else simworld.db here.
        samples: judgements per episode; default: the judge's own.
        swap: "seats" or "names", as another judge, which is shown people in reverse order or under
            each other's names.
        options: see `JobOptions`.

    Raises:
        InputError: the judge, its rubric or what is to be judged is not there; also where a
            scenario was stored without its rubric, once everything else is judged.
        ModelError, MissingExtra: a model or its key is not there.
        StoreError: the database cannot be written; what was committed stays.
        Stopped: more failed than `max_failures` allows.
    """
    settings = read_settings("judge", options)
    if samples is not None and samples < 1:
        raise InputError(f"samples: expected a number from 1, found {samples}")
    if swap not in (None, "seats", "names"):
        raise InputError(f"swap: expected 'seats' or 'names', found {swap!r}")
    spec = find_judge(judge)
    run: str | None = None
    episodes: Sequence[str] | None = None
    address = database_address(db)
    if isinstance(what, str):
        run = what
    elif isinstance(what, Iterable):
        episodes = [str(id_) for id_ in what]
    elif what is not None:
        run = what.run
        address = what.db if db is None else address
    with explaining_damage(address):
        report = judge_stored(
            spec,
            address,
            settings,
            run=run,
            episodes=episodes,
            samples=samples,
            swap=swap,
            listen=judging_bar if settings.progress else _listen_quietly,
        )
    if report.tally.missing_rubrics:
        raise InputError(report.tally.missing_rubrics)
    return report


def judge_stored(
    spec: JudgeSpec,
    db: str,
    settings: JobSettings,
    *,
    run: str | None,
    episodes: Sequence[str] | None = None,
    samples: int | None,
    swap: Swap | None,
    listen: Callable[[], AbstractContextManager[OnTally]],
) -> JudgingReport:
    """Judges what a judge has not judged yet.

    Args:
        spec: of the judge.
        db: the database's address.
        settings: of the job.
        run: only this run's episodes.
        episodes: only these, by ids or their beginnings.
        samples: judgements per episode; default: the judge's own.
        swap: how the judge is shown people.
        listen: opens who is told of each judgement.
    """
    with open_store(db) as store:
        store.check_names(run=run)
        chosen = None if episodes is None else _find_episodes(store, episodes)
        with open_lazy_backend(
            spec.model,
            spec.dtype,
            fields=spec,
            server=settings.server,
            cpu_threads=settings.cpu_threads,
        ) as backend:
            judging = JudgingPass(
                store,
                spec,
                backend,
                run=run,
                episodes=chosen,
                retry_failed=settings.retry_failed,
                swap=swap,
                stopping=settings.stopping,
            )
            profiler = Profiler({})
            with listen() as on_progress:
                tally = judging.judge_missing(samples=samples, on_progress=on_progress)
            if backend.loaded is not None:
                profiler.add_backend(spec.model, backend.loaded)
            profiler.add_time("storing", judging.storing_s)
            cautions = (
                judge_warnings(store, scoring_ids(store, tally.judge_ids, run), run=run)
                if tally.scored + tally.already_judged
                else ()
            )
            profile = profiler.profile({spec.model: sum(judging.backend_seconds.values())})
    return JudgingReport(
        run=run,
        episodes=() if chosen is None else tuple(chosen),
        db=db,
        tally=tally,
        cautions=tuple(cautions),
        budget_spent=settings.stopping.budget_exhausted,
        profile=profile,
    )


def find_judge(judge: JudgeLike) -> JudgeSpec:
    """The judge that is named or given. Raises InputError."""
    if isinstance(judge, JudgeSpec):
        check_judge(judge)
        return judge
    return load_judge(os.fspath(judge))[0]


def tally_line(tally: JudgingTally) -> str:
    """What a pass has done, in a line."""
    return f"{tally.scored} scored, {tally.failed} failed, {tally.already_judged} already there"


def _find_episodes(store: Store, ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(store.episode(id_, vectors=False).id for id_ in ids))


@contextmanager
def _listen_quietly() -> Iterator[OnTally]:
    yield lambda tally: None
