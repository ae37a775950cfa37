"""Embeddings held in memory, for a server that is asked again and again; more than fit are read
from the store each time.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from simworld.analysis.semantic_search import SimilarEpisode, nearest_episodes
from store import Store

MAX_BYTES = 400_000_000  # of vectors: 260,000 episodes with 384 numbers each


class EmbeddingCache:
    """The embeddings of one encoder. They are read when first asked for, and again once there are
    more.
    """

    def __init__(self, encoder_id: str, size: int, *, max_bytes: int = MAX_BYTES) -> None:
        self._encoder_id, self._size = encoder_id, size
        self._max_embeddings = max_bytes // (4 * size)
        self._ids: list[str] = []
        self._vectors: NDArray[np.float32] = np.empty((0, size), np.float32)
        self._lock = threading.Lock()

    def nearest(
        self,
        store: Store,
        vector: NDArray[np.float32],
        *,
        total: int,
        limit: int,
        run: str | None = None,
    ) -> list[SimilarEpisode]:
        """The embeddings with the highest cosine to a vector (d,) of length 1; equal ones by id.

        Args:
            store: where they are.
            vector: what they are compared with.
            total: how many there are, `Store.embedding_counts`.
            limit: the most hits.
            run: only episodes of this run; these are read from the store.
        """
        if run is not None or total > self._max_embeddings:
            return nearest_episodes(store, self._encoder_id, vector, limit=limit, run=run)
        with self._lock:
            if total != len(self._ids):
                self._read(store, total)
            ids, vectors = self._ids, self._vectors
        cosines = vectors @ vector
        if len(ids) > limit:
            candidates = np.flatnonzero(cosines >= np.partition(cosines, -limit)[-limit])
        else:
            candidates = np.arange(len(ids))
        best = sorted((-float(cosines[i]), ids[i]) for i in candidates)[:limit]
        return [SimilarEpisode(episode_id=id_, cosine=-negative) for negative, id_ in best]

    def _read(self, store: Store, total: int) -> None:
        ids: list[str] = []
        vectors = np.empty((total, self._size), np.float32)
        for block_ids, block in store.embeddings(self._encoder_id, self._size):
            new_rows = block[: total - len(ids)]  # one that came meanwhile is read the next time
            vectors[len(ids) : len(ids) + len(new_rows)] = new_rows
            ids += block_ids[: len(new_rows)]
        self._ids, self._vectors = ids, vectors[: len(ids)]
