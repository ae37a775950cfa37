"""Store: the one door to a database. Records go in and come out; connections stay inside."""

from __future__ import annotations

from sqlalchemy import select

import store.attributions
import store.cells.cell_reading
import store.cells.score_rows
import store.embeddings
import store.episode_reading
import store.episode_writing
import store.judgements
import store.overview
import store.runs
import store.text_search
import store.traces
import store.trainings
import store.unknown_names
from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from store.connection import BUSY_TIMEOUT_S, open_engine
from store.database import Database, batch_method, read_method, stream_method, write_method
from store.database_address import parse_address
from store.records import AgentRecord, StoredJudgement
from store.scenario_json import scenario_from_row
from store.tables import AgentRow, ScenarioRow, table


def open_store(
    url: str,
    *,
    create: bool = False,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    read_only: bool = False,
    row_bytes: int | None = None,
) -> Store:
    """A store on `sqlite:///FILE`, a plain file name, or `postgresql://…`; only with `create` is a
    new database made.

    With `read_only` every method that writes raises StoreError, whatever the user may do to the
    database. With `row_bytes` so does on SQLite every method that would read a larger row.

    Raises:
        InputError: the address makes no sense, or names no file and none is to be made.
        MissingExtra: PostgreSQL without its driver.
        StoreMismatch: not a simworld database, or one of an older or newer version; the text says
            what to do.
        StoreError: locked for longer than `busy_timeout_s`, unreachable, not permitted.
    """
    address = parse_address(url)
    engine = open_engine(
        address,
        create=create,
        busy_timeout_s=busy_timeout_s,
        read_only=read_only,
        row_bytes=row_bytes,
    )
    return Store(address, engine)


class Store(Database):
    """A database of runs, episodes and judgements.

    Every method is one transaction (batches: one for each), and any may raise StoreError when the
    database is locked, full or gone. What was returned from is stored; what raised is not stored at
    all.
    """

    # Runs: what they plan, and what has become of it

    begin_run = write_method(store.runs.begin_run, lost="nothing new was stored")
    add_profile = write_method(store.runs.add_profile, lost="the run's profile was not stored")
    run_summaries = read_method(store.runs.run_summaries)
    run_summary = read_method(store.runs.run_summary)
    run_record = read_method(store.runs.run_record)
    planned_items = read_method(store.runs.planned_items)
    item_states = read_method(store.runs.item_states)

    # What there is, named and counted

    run_scenarios = read_method(store.overview.run_scenarios)
    run_agents = read_method(store.overview.run_agents)
    ending_counts = read_method(store.overview.ending_counts)
    scenario_lines = read_method(store.overview.scenario_lines)
    filter_names = read_method(store.overview.filter_names)
    check_names = read_method(store.unknown_names.check_names)

    def scenario(self, id_: str) -> Scenario:
        """The scenario as it was stored, judge note included; raises InputError where there is
        none.
        """
        query = select(table(ScenarioRow)).where(ScenarioRow.id == id_)
        with self._read() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise InputError(f"no scenario {id_} in {self.location}")
            return scenario_from_row(row)

    def agent(self, id_: str) -> AgentRecord:
        """The agent as it was stored; raises InputError where there is none."""
        query = select(table(AgentRow)).where(AgentRow.id == id_)
        with self._read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise InputError(f"no agent {id_} in {self.location}")
        return AgentRecord(**row)

    # Episodes: by what they are, by their words, and by what they mean

    add_episode = write_method(
        store.episode_writing.add_episode, lost="nothing of this episode was stored"
    )
    episodes = batch_method(store.episode_reading.next_episodes)
    episode = read_method(store.episode_reading.find_episode)
    episode_size = read_method(store.episode_reading.episode_size)
    episode_summaries = read_method(store.episode_reading.episode_summaries)
    summaries_by_id = read_method(store.episode_reading.summaries_by_id)
    search_text = read_method(store.text_search.search_text)
    texts_by_episode = read_method(store.text_search.texts_by_episode)
    add_embeddings = write_method(
        store.embeddings.add_embeddings, lost="nothing of these embeddings was stored"
    )
    unembedded = batch_method(store.embeddings.unembedded)
    embedding_counts = read_method(store.embeddings.count_embeddings)
    embeddings = stream_method(store.embeddings.stream_embeddings)

    # Judges, their judgements and scores, and the cells that standings read

    add_judge = write_method(store.judgements.add_judge, lost="the judge was not stored")
    record_judge_check = write_method(
        store.judgements.record_judge_check, lost="what the check came to was not stored"
    )
    judges = read_method(store.judgements.judges)

    add_judgement = write_method(
        store.judgements.add_judgement, lost="nothing of this judgement was stored"
    )

    def judgements(self, episode_id: str) -> list[StoredJudgement]:
        """All judgements of an episode, failed ones too, by judge and sample."""
        return self.judgements_by_episode([episode_id])[episode_id]

    judgements_by_episode = read_method(store.judgements.judgements_by_episode)
    unjudged = batch_method(store.judgements.unjudged)
    score_rows = batch_method(store.cells.score_rows.next_score_rows)
    scoring_judge_ids = read_method(store.cells.cell_reading.scoring_judge_ids)
    cells_fingerprint = read_method(store.cells.cell_reading.cells_fingerprint)
    cells = stream_method(store.cells.cell_reading.read_cells)
    retest_sums = read_method(store.cells.cell_reading.read_retest_sums)
    add_attributions = write_method(
        store.attributions.add_attributions, lost="nothing of this attribution was stored"
    )
    unattributed = batch_method(store.attributions.unattributed)

    # What planners learn from, and their trainings

    traces = batch_method(store.traces.next_traces)
    trace_overview = read_method(store.traces.trace_overview)
    earlier_actions = read_method(store.traces.earlier_actions)
    begin_training = write_method(
        store.trainings.begin_training, lost="the training was not stored"
    )
    add_training_steps = write_method(
        store.trainings.add_training_steps, lost="nothing of these steps was stored"
    )
    finish_training = write_method(
        store.trainings.finish_training, lost="the training's end was not stored"
    )
    training_runs = read_method(store.trainings.training_runs)
    training_steps = read_method(store.trainings.training_steps)
