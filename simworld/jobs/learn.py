"""The whole loop from one file: the job of `simworld learn`, and `simworld.learn`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from agents.steering.checkpoint_folder import read_folder
from simworld.core.errors import InputError, Problem, StoreMismatch
from simworld.jobs.comparison_frame import comparison_frame
from simworld.jobs.database import database_address, explaining_damage
from simworld.jobs.progress import progress_bar
from simworld.jobs.report import JobReport
from simworld.jobs.settings import JobOptions, JobSettings, read_settings
from simworld.pipeline.learn.context import PipelineContext, open_context
from simworld.pipeline.learn.grid import GridPoint, grid_points
from simworld.pipeline.learn.learn_stages import LearnResult, declare_stages, read_result
from simworld.pipeline.learn.shipped_files import open_learn_file
from simworld.pipeline.learn.stage_cache import StageCache, StageState
from simworld.results.last_attempts import failed_attempts
from simworld.yamlfile import data_document
from store import check_store, open_store

if TYPE_CHECKING:
    import pandas as pd

    from store import EpisodeSummary, Store


class StageBar(Protocol):
    """Who shows how far the stage under way is."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """How much is done, of how much, and a note."""

    def begin(self, label: str) -> None:
        """A stage begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnListener:
    """Who is told while the loop goes on."""

    bar: StageBar
    on_point: Callable[[int, GridPoint], None] = lambda number, point: None  # numbers from 1
    # before a stage (without an output) and after it; with the episodes of its run that failed
    on_stage: Callable[[StageState, tuple[EpisodeSummary, ...]], None] = lambda stage, failed: None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnReport(JobReport):
    """What the loop came to; one result for each combination of a grid."""

    name: str  # of the learn file
    folder: Path  # of checkpoints, data and reports
    db: str = field(repr=False)  # it may hold a password
    results: tuple[LearnResult, ...] = field(repr=False)
    is_dry: bool  # nothing was done, only looked at

    @property
    def planners(self) -> tuple[Path, ...]:
        """The folders of the planners that were made, one for each combination."""
        return tuple(result.planner for result in self.results if result.planner is not None)

    @property
    def stages(self) -> tuple[StageState, ...]:
        """Every stage once, in order."""
        by_label = {stage.label: stage for result in self.results for stage in result.stages}
        return tuple(by_label.values())

    @property
    def failed(self) -> int:
        """Episodes and judgements that failed, in all stages."""
        return sum(stage.output.failed for stage in self.stages if stage.output is not None)

    def frame(self) -> pd.DataFrame:
        """What the evaluations found, one arm less another: a row for each combination, comparison
        and measure; columns as of `EvaluationReport.frame`, after those of what was varied.

        Raises InputError where nothing is evaluated yet.
        """
        import pandas as pd

        frames = [
            comparison_frame(result.report["comparisons"], result.values)
            for result in self.results
            if result.report is not None
        ]
        if not frames:
            raise InputError(f"{self.name}: nothing is evaluated yet")
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def summary(self) -> str:
        """The stages, done or to do, and the planners."""
        lines = [f"learn {self.name}, in {self.folder}"]
        for stage in self.stages:
            if stage.output is None:
                lines.append(f"  {stage.label}: to do, {stage.max_episodes} episodes at most")
                continue
            done = "done before" if stage.skipped else f"{stage.seconds:.0f} s"
            failed = f", {stage.output.failed} failed" if stage.output.failed else ""
            lines.append(f"  {stage.label}: {done}{failed}")
        for result in self.results:
            if result.planner is not None:
                constant = " (a constant action)" if is_constant(result) else ""
                lines.append(f"  {planner_name(result)}: {result.planner}{constant}")
        return "\n".join(lines)


def learn(
    file: str | os.PathLike[str] | Mapping[str, Any],
    *,
    db: str | os.PathLike[str] | None = None,
    work: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    **options: Unpack[JobOptions],
) -> LearnReport:
    """Collects, judges, clones, trains and evaluates, as a learn file says.

    A stage is done once: the same call goes on where it stopped, and after a change does again what
    depends on it.

    Args:
        file: a learn file, the name of a shipped one, or what such a file holds (its keys as a
            mapping). Any key may be a list: then every combination is run.
        db: the database, made where there is none; default: SIMWORLD_DB, else simworld.db here.
        work: folder of checkpoints, data and reports; default: learn-NAME here.
        dry_run: only look which stages are done.
        options: see `JobOptions`.

    Raises:
        InputError: everything wrong in what was given, at once.
        ModelError, MissingExtra: a model or its key is not there.
        StoreError: the database cannot be written; what was committed stays.
        Stopped: more failed than `max_failures` allows.
        BudgetSpent: there is no room for the rest in the budget of tokens.
    """
    settings = read_settings("learn", options)
    if isinstance(file, Mapping):
        with data_document(dict(file), "learn file") as document:
            points = grid_points(document)
    else:
        points = grid_points(open_learn_file(os.fspath(file)))
    address = database_address(db)
    with explaining_damage(address):
        return run_learn(
            points,
            address,
            None if work is None else Path(work),
            settings,
            dry_run=dry_run,
            listen=_listen_with_bar if settings.progress else _listen_quietly,
        )


def run_learn(
    points: Sequence[GridPoint],
    db: str,
    work: Path | None,
    settings: JobSettings,
    *,
    dry_run: bool,
    listen: Callable[[], AbstractContextManager[LearnListener]],
) -> LearnReport:
    """Walks the stages of each point, and does those that are not done.

    Args:
        points: the combinations of a learn file.
        db: the database's address; it is made where there is none.
        work: folder of what is made; default: learn-NAME here.
        settings: of the job.
        dry_run: only look which stages are done.
        listen: opens who is told while it goes on.
    """
    work_name = points[0].file.work_name
    folder = work or Path(f"learn-{work_name}")
    results: list[LearnResult] = []
    with _open_store(db, dry_run) as store, listen() as listener:
        contexts = _open_contexts(
            points,
            store,
            folder,
            max_live=settings.max_live,
            retry_failed=settings.retry_failed,
            cpu_threads=settings.cpu_threads,
            server=settings.server,
            stopping=settings.stopping,
            on_progress=listener.bar,
            warn=settings.warn,
        )

        def on_stage(stage: StageState) -> None:
            if dry_run:
                return
            if stage.output is None:
                listener.bar.begin(stage.label)
            has_failed = stage.output is not None and stage.output.failed
            run = f"{work_name}-{stage.label}"
            listener.on_stage(stage, failed_attempts(store, run) if has_failed else ())

        cache = StageCache(
            folder, dry=dry_run, retry_failed=settings.retry_failed, on_stage=on_stage
        )
        for number, (point, context) in enumerate(zip(points, contexts, strict=True), 1):
            listener.on_point(number, point)
            stages = cache.run(declare_stages(context), context)
            results.append(read_result(stages, point.values))
    return LearnReport(
        name=points[0].file.name, folder=folder, db=db, results=tuple(results), is_dry=dry_run
    )


def planner_name(result: LearnResult) -> str:
    """The planner of a result, with what tells it from the others of a grid."""
    return f"planner ({values_text(result.values)})" if result.values else "planner"


def values_text(values: Mapping[str, Any]) -> str:
    """What is varied in a grid, at one of its points."""
    return ", ".join(f"{key}={value}" for key, value in values.items())


def is_constant(result: LearnResult) -> bool:
    """Whether training said that a constant action is as good as what it learned."""
    if result.planner is None:
        return False
    return "constant" in read_folder(result.planner).info.metrics


@contextmanager
def _open_store(db: str, dry_run: bool) -> Iterator[Store]:
    """The database; a dry run makes none, and sees an empty one that is thrown away."""
    if not dry_run:
        with open_store(db, create=True) as store:
            yield store
        return
    check_store(db)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            store = stack.enter_context(open_store(db))
        except (InputError, StoreMismatch):  # it could be made, so it is not there yet
            store = stack.enter_context(open_store(str(Path(folder) / "none.db"), create=True))
        yield store


def _open_contexts(
    points: Sequence[GridPoint], store: Store, folder: Path, **settings: Any
) -> list[PipelineContext]:
    """A context for each point of a grid; everything wrong with any of them at once."""
    contexts, problems = [], dict[Problem, None]()
    for point in points:
        try:
            contexts.append(open_context(point.file, store, folder, **settings))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    return contexts


class _NoBar:
    def __call__(self, done: int, total: int, note: str = "") -> None:
        pass

    def begin(self, label: str) -> None:
        pass


@contextmanager
def _listen_with_bar() -> Iterator[LearnListener]:
    with progress_bar("learning") as bar:
        yield LearnListener(bar=bar)


def _listen_quietly() -> AbstractContextManager[LearnListener]:
    return nullcontext(LearnListener(bar=_NoBar()))
