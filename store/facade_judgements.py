"""Judges, their judgements and scores, and the cells that standings read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from simworld.core.judgement import Judgement
from store import cell_reading, judgements, trainings
from store.database import Database
from store.database_address import DatabaseAddress
from store.records import Attribution, Cells, JudgeRecord, ScoreRow, StoredJudgement
from store.score_rows import score_batch

IDS = 1000  # ids held at a time


class JudgementMethods(Database):
    """See `Store`."""

    def __init__(self, address: DatabaseAddress, engine: Engine) -> None:
        super().__init__(address, engine)
        self._rubrics: dict[str, Mapping[str, Any]] = {}

    def add_judge(self, judge_id: str, name: str, spec: Mapping[str, Any]) -> None:
        """Stores a judge; no change if it is there already."""
        with self._write("the judge was not stored") as connection:
            judgements.add_judge(connection, JudgeRecord(id=judge_id, name=name, spec=spec))

    def measure_judge(
        self, judge_id: str, name: str, spec: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> None:
        """Stores a judge if it is not there, and with it what its last check came to, under
        `measured` in its spec.
        """
        with self._write("what the check came to was not stored") as connection:
            judgements.measure_judge(
                connection, JudgeRecord(id=judge_id, name=name, spec=spec), measured
            )

    def add_judgement(
        self,
        judgement: Judgement,
        rescaled: Mapping[tuple[str, str], float],
        *,
        replace_failed: bool = False,
    ) -> bool:
        """Stores a judgement whole; False, and no change, if this judge's sample of this episode is
        there already.

        Args:
            judgement: of a stored episode by a stored judge.
            rescaled: (seat, dimension) → the verdict's share of its range, 0 to 1.
            replace_failed: a stored judgement that failed gives way to this one; its failure stays
                in `earlier_failures` and `attempt` counts on. One that is ok never gives way.

        Raises:
            ValueError: a score without its share, or verdicts in a failed judgement: the caller's
                bug.
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

    def judges(self) -> list[JudgeRecord]:
        """All judges."""
        with self._read() as connection:
            return judgements.judges(connection)

    def unjudged(
        self, judge_id: str, sample: int, *, run: str | None = None, retry_failed: bool = False
    ) -> Iterator[str]:
        """Ids of episodes that did not fail and that this judge has not yet judged with this
        sample.

        With `retry_failed` also those where its judgement failed. New judgements may be added while
        this streams.
        """
        after = ""
        while True:
            with self._read() as connection:
                ids = judgements.unjudged_batch(
                    connection,
                    judge_id,
                    sample,
                    run=run,
                    retry_failed=retry_failed,
                    after=after,
                    size=IDS,
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
        """Episode id → its judgements, by all judges or these, for up to a thousand episodes;
        without any, an empty list.
        """
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
        """Scores by episode, judge, sample, seat and dimension, streamed. Never average over
        several judges (`scenario`: an id).
        """
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
        """Three numbers that change when an episode or a judgement is added to a run: a quick look
        at whether anything is new.
        """
        with self._read() as connection:
            return cell_reading.cells_size(connection, run)

    def cells(
        self, run: str, judge_ids: Sequence[str], scenarios: Collection[str]
    ) -> Iterator[Cells]:
        """The last attempts at the work items of these scenarios (ids), with these judges' scores,
        some hundred blocks at a time.

        Read from what the store keeps up to date for this: a hundred thousand episodes take a
        fraction of a second.

        Raises:
            InputError: a score is no finite number.
        """
        with self._read() as connection:
            yield from cell_reading.read_cells(connection, run, judge_ids, scenarios)

    def retests(self, run: str, judge_id: str) -> Mapping[str, NDArray[np.float64]]:
        """Scenario id → by measure the squared deviations of a judge's samples from their mean, and
        degrees of freedom, (M, 2).
        """
        with self._read() as connection:
            return cell_reading.read_retests(connection, run, judge_id)

    def add_attributions(
        self, judgement_id: str, method: str, parts: Sequence[Attribution]
    ) -> None:
        """Stores what a judge says about the utterances of a judged episode; what is there already
        stays as it is.
        """
        with self._write("nothing of this attribution was stored") as connection:
            trainings.add_attributions(connection, judgement_id, method, parts)

    def unattributed(
        self, judge_id: str, method: str, *, run: str | None = None
    ) -> Iterator[tuple[str, str, int]]:
        """(judgement id, episode id, sample) of a judge's judgements that are ok and have no
        attribution of this method.

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
