"""Store: the one door to a database. Records go in and come out; connections stay inside."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select, update

from simworld.core.episode import Ending, Episode, WorkItem
from simworld.core.errors import InputError, StoreError
from simworld.core.judgement import Judgement
from simworld.core.scenario import Scenario
from store import cell_reading, embeddings, episodes, judgements, overview, reading, runs, texts, traces, trainings
from store.address import Address, parse_address
from store.connection import BUSY_TIMEOUT_S, WRITE, check_unchanged, connect
from store.faults import faults
from store.queries import score_batch
from store.records import (
    AgentRecord,
    Attribution,
    Cells,
    EndingCount,
    EpisodeSummary,
    ItemState,
    JudgeRecord,
    Names,
    PlannedItem,
    RunRecord,
    RunSummary,
    ScenarioLine,
    ScoreRow,
    SeatTrace,
    StoredEpisode,
    StoredJudgement,
    TextHit,
    TraceOverview,
    TraceQuery,
    TrainingRecord,
    TrainingStatus,
    TrainingStep,
    UsedAction,
)
from store.scenario_json import scenario_of
from store.tables import AgentRow, EpisodeRow, RunRow, ScenarioRow, table

BATCH = 64  # whole episodes held at a time while streaming
IDS = 1000  # ids held at a time


def open_store(
    url: str, *, create: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S, read_only: bool = False
) -> Store:
    """A store on `sqlite:///FILE`, a plain file name, or `postgresql://…`; only with `create` is a new database made.

    With `read_only` every method that writes raises StoreError, whatever the user may do to the database.

    Raises:
        InputError: the address makes no sense, or names no file and none is to be made.
        MissingExtra: PostgreSQL without its driver.
        StoreMismatch: not a simworld database, or one of an older or newer version; the text says what to do.
        StoreError: locked for longer than `busy_timeout_s`, unreachable, not permitted.
    """
    address = parse_address(url)
    engine = connect(address, create=create, busy_timeout_s=busy_timeout_s, read_only=read_only)
    return Store(address, engine)


class Store:
    """A database of runs, episodes and judgements.

    Every method is one transaction (streams: one per batch), and any may raise StoreError when the database is locked, full or
    gone. What was returned from is stored; what raised is not stored at all.
    """

    def __init__(self, address: Address, engine: Engine) -> None:
        self._address = address
        self._engine = engine
        self._seats: dict[tuple[str, str, frozenset[tuple[str, str]]], list[dict[str, Any]]] = {}
        self._rubrics: dict[str, Mapping[str, Any]] = {}
        self._file = _identity(address)

    @property
    def where(self) -> str:
        """The file, or the URL without its password."""
        return str(self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def check(self) -> None:
        """Raises what has become of the database since it was opened.

        Raises:
            StoreError: the file was deleted, moved or replaced; the database is locked or gone.
            StoreMismatch: it was brought to another version.
        """
        if _identity(self._address) != self._file:
            raise StoreError(f"{self.where} was deleted, moved or replaced while it was in use")
        with self._read() as connection:
            check_unchanged(connection, self._address)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with faults(self.where), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _write(self, lost: str) -> Iterator[Connection]:
        # A deleted file can still be written through its open connection, and all of it would vanish with the process.
        if _identity(self._address) != self._file:
            raise StoreError(f"{self.where} was deleted, moved or replaced while it was in use; {lost}")
        with (
            faults(self.where, lost),
            self._engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection

    # Writing

    def begin_run(
        self,
        run: RunRecord,
        items: Sequence[PlannedItem],
        scenarios: Iterable[Scenario],
        agents: Iterable[AgentRecord],
    ) -> None:
        """Stores a run with its plan. Again with the same name it adds what is new (repeats, casts) and takes the new settings.

        A scenario's content is stored once; its title, rubric, judge note and other details are those given last.

        Raises:
            ResumeRefused: the run exists with another seed, or one of its scenario or agent names now has other content.
            InputError: one name means two contents.
        """
        with self._write("nothing new was stored") as connection:
            runs.begin_run(connection, run, items, scenarios, agents)

    def add_profile(self, run: str, command: Mapping[str, Any]) -> None:
        """Adds what one command took to the run's profile: `{"commands": [first, …, last]}`. Several processes may."""
        with self._write("the run's profile was not stored") as connection:
            of_run = RunRow.name == run
            before = connection.execute(select(RunRow.profile).where(of_run).with_for_update()).scalar_one_or_none()
            commands = [*(before or {}).get("commands", ()), dict(command)]
            connection.execute(update(RunRow).where(of_run).values(profile={"commands": commands}))

    def add_episode(
        self,
        item: WorkItem,
        attempt: int,
        episode: Episode,
        *,
        scenario_name: str,
        family: str,
        started: datetime,
        ended: datetime,
        code_version: str = "",
        parent_id: str | None = None,
    ) -> bool:
        """Stores a finished episode whole; False, and no change, if this attempt is there already.

        Args:
            item: a work item that `begin_run` has planned.
            attempt: from 1.
            episode: as played.
            scenario_name: as in the plan.
            family: as in the plan.
            started: with a zone.
            ended: with a zone.
            code_version: what played it; default: what began the run.
            parent_id: the episode it branched from.

        Raises:
            ValueError: the episode does not belong to the item, or contradicts itself: the caller's bug.
            StoreError: the database cannot take it; nothing of it was stored.
        """
        seats = self._seating(item)
        with self._write("nothing of this episode was stored") as connection:
            return episodes.add_episode(
                connection,
                item,
                attempt,
                episode,
                scenario_name=scenario_name,
                family=family,
                started=started,
                ended=ended,
                code_version=code_version,
                parent_id=parent_id,
                seats=seats,
            )

    def _seating(self, item: WorkItem) -> list[dict[str, Any]]:
        """Who sits where in a planned item: asked of the database once, for neither scenarios nor a run's names change."""
        key = (item.run, item.scenario_id, frozenset(item.cast.items()))
        if key not in self._seats:
            with self._read() as connection:
                self._seats[key] = episodes.seating(connection, item)
        return self._seats[key]

    def add_judge(self, judge_id: str, name: str, spec: Mapping[str, Any]) -> None:
        """Stores a judge; no change if it is there already."""
        with self._write("the judge was not stored") as connection:
            judgements.add_judge(connection, JudgeRecord(id=judge_id, name=name, spec=spec))

    def add_judgement(
        self, judgement: Judgement, rescaled: Mapping[tuple[str, str], float], *, replace_failed: bool = False
    ) -> bool:
        """Stores a judgement whole; False, and no change, if this judge's sample of this episode is there already.

        Args:
            judgement: of a stored episode by a stored judge.
            rescaled: (seat, dimension) → the verdict's share of its range, 0 to 1.
            replace_failed: a stored judgement that failed gives way to this one; its failure stays in `earlier_failures` and
                `attempt` counts on. One that is ok never gives way.

        Raises:
            ValueError: a score without its share, or verdicts in a failed judgement: the caller's bug.
            StoreError: the database cannot take it; nothing of it was stored.
        """
        rubric = self._rubric(judgement.judge_id)
        with self._write("nothing of this judgement was stored") as connection:
            return judgements.add_judgement(
                connection, judgement, rescaled, replace_failed=replace_failed, rubric=rubric
            )

    def _rubric(self, judge_id: str) -> Mapping[str, Any] | None:
        """The rubric of a judge: asked of the database once, for judges do not change."""
        if judge_id not in self._rubrics:
            with self._read() as connection:
                rubric = judgements.rubric_of(connection, judge_id)
            if rubric is None:
                return None
            self._rubrics[judge_id] = rubric
        return self._rubrics[judge_id]

    def add_attributions(self, judgement_id: str, method: str, parts: Sequence[Attribution]) -> None:
        """Stores what a judge says about the utterances of a judged episode; what is there already stays as it is."""
        with self._write("nothing of this attribution was stored") as connection:
            trainings.add_attributions(connection, judgement_id, method, parts)

    def add_embeddings(self, encoder_id: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Stores embeddings by episode id, each (d,) float32; what is there already stays as it is."""
        with self._write("nothing of these embeddings was stored") as connection:
            embeddings.add_embeddings(connection, encoder_id, vectors)

    def begin_training(self, training: TrainingRecord) -> bool:
        """Stores a training as running; False where it exists with the same kind, settings and data, and goes on.

        Raises:
            InputError: one of this name exists with another kind, settings or data.
        """
        with self._write("the training was not stored") as connection:
            return trainings.begin_training(connection, training)

    def add_training_steps(self, name: str, rows: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Stores (step, metric → value) rows; a number stored before, as after a resume, stays as it is."""
        with self._write("nothing of these steps was stored") as connection:
            trainings.add_steps(connection, name, rows)

    def finish_training(
        self,
        name: str,
        *,
        checkpoint_id: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        status: TrainingStatus = "finished",
    ) -> None:
        """Says how a training ended, and what it wrote."""
        with self._write("the training's end was not stored") as connection:
            trainings.finish_training(connection, name, status, checkpoint_id, metrics or {})

    # Reading

    def runs(self) -> list[RunSummary]:
        """All runs with counts, oldest first."""
        with self._read() as connection:
            return runs.run_summaries(connection)

    def run(self, name: str) -> RunSummary:
        """One run with its counts; raises InputError where there is none."""
        with self._read() as connection:
            found = runs.run_summaries(connection, name)
        if not found:
            raise InputError(f"no run {name!r} in {self.where}")
        return found[0]

    def run_record(self, name: str) -> RunRecord:
        """A run as it was begun; raises InputError where there is none."""
        with self._read() as connection:
            row = connection.execute(select(table(RunRow)).where(RunRow.name == name)).mappings().one_or_none()
        if row is None:
            raise InputError(f"no run {name!r} in {self.where}")
        return RunRecord(**row)

    def run_scenarios(self, run: str) -> list[str]:
        """Ids of the scenarios that a run plans, by their names in it."""
        with self._read() as connection:
            return overview.run_scenarios(connection, run)

    def run_agents(self, run: str) -> Mapping[str, str]:
        """Agent name → agent id, by name, of the agents that a run names."""
        with self._read() as connection:
            return overview.run_agents(connection, run)

    def ending_counts(self, run: str) -> list[EndingCount]:
        """How the episodes of a run ended, by scenario, in no order."""
        with self._read() as connection:
            return overview.ending_counts(connection, run)

    def names(self) -> Names:
        """The names that filters may use."""
        with self._read() as connection:
            return overview.names(connection)

    def scenario_lines(self, text: str | None = None, *, start: int = 0, limit: int = 100) -> list[ScenarioLine]:
        """Scenarios by name with their counts, those whose name, title, family or kind contains a text in any case."""
        with self._read() as connection:
            return overview.scenario_lines(connection, text, start, limit)

    def planned(self, run: str) -> list[PlannedItem]:
        """All work items of a run, played or not."""
        with self._read() as connection:
            return runs.planned(connection, run)

    def finished(self, run: str) -> Mapping[str, ItemState]:
        """Item key → attempts made and how the last one ended; items never attempted are absent."""
        with self._read() as connection:
            return runs.finished(connection, run)

    def episodes(
        self,
        *,
        run: str | None = None,
        ending: Ending | None = None,
        scenario: str | None = None,
        agent: str | None = None,
        family: str | None = None,
        limit: int | None = None,
        vectors: bool = True,
    ) -> Iterator[StoredEpisode]:
        """Whole episodes by id, streamed; `scenario` and `agent` are names or ids; without `vectors` plans are left out.

        Each batch is a transaction of its own: an episode that is committed meanwhile appears if its id is still to come.
        """
        query = reading.matching(run=run, ending=ending, scenario=scenario, agent=agent, family=family)
        after = ""
        while limit is None or limit > 0:
            with self._read() as connection:
                size = BATCH if limit is None else min(BATCH, limit)
                batch = reading.read_batch(connection, query, after, size, vectors)
            yield from batch
            if len(batch) < size:
                return
            after = batch[-1].id
            limit = None if limit is None else limit - len(batch)

    def summaries(
        self,
        *,
        run: str | None = None,
        ending: Ending | None = None,
        scenario: str | None = None,
        agent: str | None = None,
        family: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[EpisodeSummary]:
        """The latest `limit` episodes without their turns, in the order in which they ended; only those before the id `before`."""
        with self._read() as connection:
            if agent is not None and run is None:
                try:
                    run = reading.only_run(connection, agent)
                except LookupError:
                    return []
            query = reading.matching(run=run, ending=ending, scenario=scenario, agent=agent, family=family)
            if before is not None:
                query = query.where(reading.ended_before(before))
            query = query.order_by(EpisodeRow.ended.desc(), EpisodeRow.id.desc()).limit(limit)
            rows = connection.execute(query).mappings().all()
            return [
                summary
                for start in range(0, len(rows), IDS)
                for summary in reading.summaries(connection, rows[start : start + IDS])
            ][::-1]

    def summaries_of(self, ids: Sequence[str]) -> Mapping[str, EpisodeSummary]:
        """Episode id → its summary, for up to a thousand ids; those that are not there are left out."""
        query = reading.matching().where(EpisodeRow.id.in_(ids))
        with self._read() as connection:
            found = reading.summaries(connection, connection.execute(query).mappings().all())
        return {summary.id: summary for summary in found}

    def search_text(
        self, phrases: Sequence[str], *, run: str | None = None, before: int | None = None, limit: int = 20
    ) -> list[TextHit]:
        """Episodes in which all the phrases (words in this order) occur, in any case, the latest first.

        Args:
            phrases: at least one, each with a letter or digit in it.
            run: only this run's.
            before: only those with a lower number.
            limit: the most.
        """
        with self._read() as connection:
            return texts.search(connection, phrases, run=run, before=before, limit=limit)

    def texts_of(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Episode id → what was said and done, a line for each act, for up to a thousand ids."""
        with self._read() as connection:
            return texts.texts_of(connection, ids)

    def episode(self, id_or_prefix: str, *, vectors: bool = True) -> StoredEpisode:
        """The episode whose id is or begins with this; raises InputError where none or several do."""
        with self._read() as connection:
            return reading.find_episode(connection, id_or_prefix, vectors)

    def scenario(self, id_: str) -> Scenario:
        """The scenario as it was stored, judge note included; raises InputError where there is none."""
        with self._read() as connection:
            row = connection.execute(select(table(ScenarioRow)).where(ScenarioRow.id == id_)).mappings().one_or_none()
        if row is None:
            raise InputError(f"no scenario {id_} in {self.where}")
        return scenario_of(row)

    def agent(self, id_: str) -> AgentRecord:
        """The agent as it was stored; raises InputError where there is none."""
        with self._read() as connection:
            row = connection.execute(select(table(AgentRow)).where(AgentRow.id == id_)).mappings().one_or_none()
        if row is None:
            raise InputError(f"no agent {id_} in {self.where}")
        return AgentRecord(**row)

    def judges(self) -> list[JudgeRecord]:
        """All judges."""
        with self._read() as connection:
            return judgements.judges(connection)

    def unjudged(
        self, judge_id: str, sample: int, *, run: str | None = None, retry_failed: bool = False
    ) -> Iterator[str]:
        """Ids of episodes that did not fail and that this judge has not yet judged with this sample.

        With `retry_failed` also those where its judgement failed. New judgements may be added while this streams.
        """
        after = ""
        while True:
            with self._read() as connection:
                ids = judgements.unjudged_batch(
                    connection, judge_id, sample, run=run, retry_failed=retry_failed, after=after, size=IDS
                )
            yield from ids
            if len(ids) < IDS:
                return
            after = ids[-1]

    def judgements(self, episode_id: str) -> list[StoredJudgement]:
        """All judgements of an episode, failed ones too, by judge and sample."""
        return self.judgements_of([episode_id])[episode_id]

    def judgements_of(
        self, episode_ids: Sequence[str], *, judge_ids: Sequence[str] | None = None
    ) -> Mapping[str, list[StoredJudgement]]:
        """Episode id → its judgements, by all judges or these, for up to a thousand episodes; without any, an empty list."""
        with self._read() as connection:
            return judgements.judgements_of(connection, episode_ids, judge_ids)

    def scores(
        self,
        *,
        judge_id: str | None = None,
        run: str | None = None,
        dimension: str | None = None,
        scenario: str | None = None,
    ) -> Iterator[ScoreRow]:
        """Scores by episode, judge, sample, seat and dimension, streamed. Never average over several judges (`scenario`: an id)."""
        after: tuple[str, ...] | None = None
        while True:
            with self._read() as connection:
                batch = score_batch(
                    connection,
                    judge_id=judge_id,
                    run=run,
                    dimension=dimension,
                    scenario=scenario,
                    after=after,
                    size=IDS,
                )
            yield from (row for _, row in batch)
            if len(batch) < IDS:
                return
            after = batch[-1][0]

    def judged_by(self, run: str) -> list[str]:
        """Ids of the judges with a rubric that have scored something in a run."""
        with self._read() as connection:
            return cell_reading.judged_by(connection, run)

    def cells_size(self, run: str) -> tuple[int, int, int]:
        """Three numbers that change when an episode or a judgement is added to a run: a quick look at whether anything is new."""
        with self._read() as connection:
            return cell_reading.cells_size(connection, run)

    def cells(self, run: str, judge_ids: Sequence[str], scenarios: Collection[str]) -> Iterator[Cells]:
        """The last attempts at the work items of these scenarios (ids), with these judges' scores, some hundred blocks at a time.

        Read from what the store keeps up to date for this: a hundred thousand episodes take a fraction of a second.

        Raises:
            InputError: a score is no finite number.
        """
        with self._read() as connection:
            yield from cell_reading.read_cells(connection, run, judge_ids, scenarios)

    def retests(self, run: str, judge_id: str) -> Mapping[str, NDArray[np.float64]]:
        """Scenario id → by measure the squared deviations of a judge's samples from their mean, and degrees of freedom, (M, 2)."""
        with self._read() as connection:
            return cell_reading.read_retests(connection, run, judge_id)

    def unattributed(self, judge_id: str, method: str, *, run: str | None = None) -> Iterator[tuple[str, str, int]]:
        """(judgement id, episode id, sample) of a judge's judgements that are ok and have no attribution of this method.

        New attributions may be added while this streams.
        """
        after = ""
        while True:
            with self._read() as connection:
                batch = trainings.unattributed(connection, judge_id, method, run, after, IDS)
            yield from batch
            if len(batch) < IDS:
                return
            after = batch[-1][0]

    def unembedded(self, encoder_id: str) -> Iterator[str]:
        """Ids of episodes with at least one turn that have no embedding by this encoder; more may be added while this streams."""
        after = ""
        while True:
            with self._read() as connection:
                ids = embeddings.unembedded_batch(connection, encoder_id, after, IDS)
            yield from ids
            if len(ids) < IDS:
                return
            after = ids[-1]

    def embedding_counts(self, encoder_id: str) -> tuple[int, int]:
        """Episodes with an embedding by this encoder, and episodes with at least one turn."""
        with self._read() as connection:
            return embeddings.counts(connection, encoder_id)

    def embeddings(
        self, encoder_id: str, size: int, *, run: str | None = None
    ) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32]]]:
        """Episode ids with their embeddings (n, size) float32, block by block in no order, as one transaction.

        Raises:
            StoreError: one is not of this size.
        """
        with self._read() as connection:
            yield from embeddings.blocks(connection, encoder_id, size, run)

    def traces(self, query: TraceQuery) -> Iterator[SeatTrace]:
        """What seats did, with vectors and scores, by episode id and seat: only seats that have a vector that fits. Streamed."""
        after = ""
        while True:
            with self._read() as connection:
                batch, after = traces.trace_batch(connection, query, after, BATCH)
            yield from batch
            if not after:
                return

    def earlier_actions(self, episode_id: str, planner_id: str, episodes: int) -> list[UsedAction]:
        """What a planner did in the last so many episodes of the same run that ended before this one, the latest episode first."""
        with self._read() as connection:
            return traces.earlier_actions(connection, episode_id, planner_id, episodes)

    def trace_overview(self, query: TraceQuery) -> TraceOverview:
        """What `traces` would find, counted without reading a vector."""
        with self._read() as connection:
            return traces.overview(connection, query)

    def training_runs(self) -> list[TrainingRecord]:
        """All trainings, oldest first."""
        with self._read() as connection:
            return trainings.training_runs(connection)

    def training_steps(self, name: str, *, metric: str | None = None) -> list[TrainingStep]:
        """What was measured in a training, by step and metric."""
        with self._read() as connection:
            return trainings.training_steps(connection, name, metric)


def _identity(address: Address) -> tuple[int, int] | None:
    """Which file an SQLite address means now; None for a server, or where there is none."""
    if address.path is None:
        return None
    try:
        found = address.path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
