"""Episodes: adding, streaming, finding; by their words and by what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select

from simworld.core.episode import Ending, Episode, WorkItem
from store import embeddings, episodes, reading, texts
from store.database import Database
from store.database_address import DatabaseAddress
from store.records import EpisodeSummary, StoredEpisode, TextHit
from store.tables import ActRow, EpisodeRow

BATCH = 64  # whole episodes held at a time while streaming
IDS = 1000  # ids held at a time


class EpisodeMethods(Database):
    """See `Store`."""

    def __init__(self, address: DatabaseAddress, engine: Engine) -> None:
        super().__init__(address, engine)
        self._seats: dict[tuple[str, str, frozenset[tuple[str, str]]], list[dict[str, Any]]] = {}

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
            ValueError: the episode does not belong to the item, or contradicts itself: the caller's
                bug.
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
        """Who sits where in a planned item: asked of the database once, for neither scenarios nor a
        run's names change.
        """
        key = (item.run, item.scenario_id, frozenset(item.cast.items()))
        if key not in self._seats:
            with self._read() as connection:
                self._seats[key] = episodes.seating(connection, item)
        return self._seats[key]

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
        """Whole episodes by id, streamed; `scenario` and `agent` are names or ids; without
        `vectors` plans are left out.

        Each batch is a transaction of its own: an episode that is committed meanwhile appears if
        its id is still to come.
        """
        query = reading.matching(
            run=run, ending=ending, scenario=scenario, agent=agent, family=family
        )
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
        """The latest `limit` episodes without their turns, in the order in which they ended; only
        those before the id `before`.
        """
        with self._read() as connection:
            if agent is not None and run is None:
                try:
                    run = reading.only_run(connection, agent)
                except LookupError:
                    return []
            query = reading.matching(
                run=run, ending=ending, scenario=scenario, agent=agent, family=family
            )
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
        """Episode id → its summary, for up to a thousand ids; those that are not there are left
        out.
        """
        query = reading.matching().where(EpisodeRow.id.in_(ids))
        with self._read() as connection:
            found = reading.summaries(connection, connection.execute(query).mappings().all())
        return {summary.id: summary for summary in found}

    def search_text(
        self,
        phrases: Sequence[str],
        *,
        run: str | None = None,
        before: int | None = None,
        limit: int = 20,
    ) -> list[TextHit]:
        """Episodes in which all the phrases (words in this order) occur, in any case, the latest
        first.

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
        """The episode whose id is or begins with this; raises InputError where none or several
        do.
        """
        with self._read() as connection:
            return reading.find_episode(connection, id_or_prefix, vectors)

    def episode_size(self, id_or_prefix: str) -> tuple[int, int]:
        """Acts of the first episode whose id begins so, and characters of what was said and done in
        it.
        """
        found = select(func.min(EpisodeRow.id)).where(
            EpisodeRow.id >= id_or_prefix, EpisodeRow.id < f"{id_or_prefix}g"
        )
        query = select(func.count(), func.coalesce(func.sum(func.length(ActRow.text)), 0))
        with self._read() as connection:
            acts, characters = connection.execute(
                query.where(ActRow.episode_id == found.scalar_subquery())
            ).one()
        return int(acts), int(characters)

    def add_embeddings(self, encoder_id: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Stores embeddings by episode id, each (d,) float32; what is there already stays as it
        is.
        """
        with self._write("nothing of these embeddings was stored") as connection:
            embeddings.add_embeddings(connection, encoder_id, vectors)

    def unembedded(self, encoder_id: str) -> Iterator[str]:
        """Ids of episodes with at least one turn that have no embedding by this encoder; more may
        be added while this streams.
        """
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
        """Episode ids with their embeddings (n, size) float32, block by block in no order, as one
        transaction.

        Raises:
            StoreError: one is not of this size.
        """
        with self._read() as connection:
            yield from embeddings.blocks(connection, encoder_id, size, run)
