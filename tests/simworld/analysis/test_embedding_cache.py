"""Embeddings in memory: the same answers as from the store, whatever fits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simworld.analysis.embedding_cache import EmbeddingCache
from simworld.analysis.semantic_search import nearest_episodes
from store import Store
from tests.factories.stored import add, begin, played


def fill(store: Store, run: str, count: int, seed: int = 0) -> None:
    works = begin(store, run=run, repeats=count)
    vectors = np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for work in works:
        add(store, work, played(work, "x"))
    store.add_embeddings(
        "e", {work.episode_id(1): vector for work, vector in zip(works, vectors, strict=True)}
    )


UP: NDArray[np.float32] = np.array([0, 0, 0, 1], np.float32)


@pytest.mark.parametrize("most_bytes", [1_000_000, 16], ids=["in memory", "too many"])
def test_the_nearest_are_those_of_the_store(store: Store, most_bytes: int) -> None:
    fill(store, "first", 30)
    embedded = EmbeddingCache("e", 4, max_bytes=most_bytes)
    expected = nearest_episodes(store, "e", UP, limit=7)
    found = embedded.nearest(store, UP, total=30, limit=7)
    assert [hit.episode_id for hit in found] == [hit.episode_id for hit in expected]
    assert [hit.cosine for hit in found] == pytest.approx(
        [hit.cosine for hit in expected], abs=1e-6
    )
    assert len(embedded.nearest(store, UP, total=30, limit=50)) == 30


def test_what_is_added_is_found(store: Store) -> None:
    fill(store, "first", 5)
    embedded = EmbeddingCache("e", 4)
    assert len(embedded.nearest(store, UP, total=5, limit=100)) == 5
    fill(store, "second", 5, seed=1)
    assert store.embedding_counts("e") == (10, 10)
    assert len(embedded.nearest(store, UP, total=10, limit=100)) == 10


def test_one_run_alone(store: Store) -> None:
    fill(store, "first", 5)
    fill(store, "second", 5, seed=1)
    found = EmbeddingCache("e", 4).nearest(store, UP, total=10, limit=100, run="second")
    assert {hit.episode_id for hit in found} == {
        summary.id for summary in store.episode_summaries(run="second")
    }


def test_none_are_no_fault(store: Store) -> None:
    assert EmbeddingCache("e", 4).nearest(store, UP, total=0, limit=5) == []
