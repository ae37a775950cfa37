"""Embeddings of episodes: one vector for each, by encoder; read in blocks, so that memory does not
grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, exists, func, select

from simworld.core.errors import StoreError
from store.episode_reading import next_ids
from store.inserts import insert_missing
from store.tables import EmbeddingRow, EpisodeRow

BATCH = 8192  # vectors held at a time
DTYPE = "<f4"


def add_embeddings(
    connection: Connection, encoder_id: str, vectors: Mapping[str, NDArray[np.float32]]
) -> None:
    """Stores embeddings by episode id, each (d,) float32; what is there already stays as it is."""
    rows = []
    for episode_id, vector in vectors.items():
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise ValueError(
                f"an embedding is a vector of finite numbers; that of {episode_id} is not:"
                f" {vector.shape}"
            )
        blob = np.ascontiguousarray(vector, dtype=DTYPE).tobytes()
        rows.append(
            {
                "episode_id": episode_id,
                "encoder_id": encoder_id,
                "vector": blob,
                "dtype": DTYPE,
                "shape": list(vector.shape),
            }
        )
    insert_missing(connection, EmbeddingRow, rows)


def unembedded(
    connection: Connection, after: str | None, encoder_id: str
) -> tuple[list[str], str | None]:
    """Ids of episodes with at least one turn that have no embedding by this encoder; more may be
    added while this streams.
    """
    is_embedded = exists().where(
        EmbeddingRow.episode_id == EpisodeRow.id, EmbeddingRow.encoder_id == encoder_id
    )
    return next_ids(connection, after, EpisodeRow.turns > 0, ~is_embedded)


def count_embeddings(connection: Connection, encoder_id: str) -> tuple[int, int]:
    """Episodes with an embedding by this encoder, and episodes with at least one turn."""
    embedded = (
        select(func.count()).select_from(EmbeddingRow).where(EmbeddingRow.encoder_id == encoder_id)
    )
    with_turns = select(func.count()).select_from(EpisodeRow).where(EpisodeRow.turns > 0)
    return connection.execute(embedded).scalar_one(), connection.execute(with_turns).scalar_one()


def stream_embeddings(
    connection: Connection, encoder_id: str, size: int, *, run: str | None = None
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32]]]:
    """Episode ids with their embeddings (n, size) float32, block by block in no order.

    Raises:
        StoreError: one is not of this size.
    """
    query = select(EmbeddingRow.episode_id, EmbeddingRow.vector).where(
        EmbeddingRow.encoder_id == encoder_id
    )
    if run is not None:
        query = query.join(EpisodeRow, EpisodeRow.id == EmbeddingRow.episode_id).where(
            EpisodeRow.run == run
        )
    rows = connection.execution_options(stream_results=True).execute(query)
    vector_bytes = size * np.dtype(DTYPE).itemsize
    for batch in rows.partitions(BATCH):
        ids, blobs = zip(*batch, strict=True)
        if any(len(blob) != vector_bytes for blob in blobs):
            wrong_id = next(
                id_ for id_, blob in zip(ids, blobs, strict=True) if len(blob) != vector_bytes
            )
            raise StoreError(
                f"the embedding of episode {wrong_id} is not a vector of {size} numbers; delete it"
                " and search again"
            )
        yield ids, np.frombuffer(b"".join(blobs), dtype=DTYPE).reshape(len(ids), size)
