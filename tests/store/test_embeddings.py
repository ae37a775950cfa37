"""Embeddings of episodes: kept by encoder, read in blocks, found missing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from simworld.core.errors import StoreError
from store import Store, open_store
from store.connection import open_engine
from store.database_address import parse_address
from tests.factories.stored import add, begin, played


def fill(store: Store, episodes: int) -> list[str]:
    """Ids of so many episodes of one line; the last has none."""
    work = begin(store, repeats=episodes)
    for one in work[:-1]:
        add(store, one, played(one, "Hello."))
    add(store, work[-1], played(work[-1]))
    return [one.episode_id(1) for one in work]


def stored(
    store: Store, encoder: str, size: int = 2, run: str | None = None
) -> dict[str, NDArray[np.float32]]:
    return {
        id_: vector
        for ids, block in store.embeddings(encoder, size, run=run)
        for id_, vector in zip(ids, block, strict=True)
    }


def test_embeddings_come_back_as_they_were_by_encoder_and_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.embeddings.BATCH", 2)
    ids = fill(store, 6)[:-1]
    vectors = {id_: np.array([n, -n / 3], np.float32) for n, id_ in enumerate(ids)}
    store.add_embeddings("one", vectors)
    store.add_embeddings("other", {ids[0]: np.array([9, 9], ">f4")})
    found = stored(store, "one")
    assert found.keys() == vectors.keys()
    assert all(
        found[id_].dtype == "<f4" and (found[id_] == vector).all()
        for id_, vector in vectors.items()
    )
    assert stored(store, "other")[ids[0]].tolist() == [9, 9]
    assert [len(block) for block, _ in store.embeddings("one", 2)] == [2, 2, 1]
    assert stored(store, "one", run="first").keys() == vectors.keys()
    assert stored(store, "one", run="second") == {}


def test_what_is_there_stays_and_what_is_missing_is_told(store: Store) -> None:
    ids = fill(store, 4)
    assert list(store.unembedded("one")) == sorted(ids[:-1])
    store.add_embeddings("one", {ids[0]: np.ones(2, np.float32)})
    store.add_embeddings("one", {ids[0]: np.zeros(2, np.float32), ids[1]: np.zeros(2, np.float32)})
    assert stored(store, "one")[ids[0]].tolist() == [1, 1]
    assert list(store.unembedded("one")) == [ids[2]]
    assert list(store.unembedded("other")) == sorted(ids[:-1])


def test_what_is_no_embedding_is_refused(store: Store) -> None:
    first, *_ = fill(store, 2)
    for wrong in (np.array([np.nan, 1], np.float32), np.ones((1, 2), np.float32)):
        with pytest.raises(ValueError, match=f"that of {first} is not"):
            store.add_embeddings("one", {first: wrong})
    store.add_embeddings("one", {first: np.ones(3, np.float32)})
    with pytest.raises(
        StoreError, match=f"embedding of episode {first} is not a vector of 2 numbers"
    ):
        stored(store, "one")


def test_an_embedding_goes_with_its_episode(made_url: str) -> None:
    with open_store(made_url) as opened:
        (first, *_) = fill(opened, 2)
        opened.add_embeddings("one", {first: np.ones(2, np.float32)})
    engine = open_engine(parse_address(made_url), create=False)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM episodes"))
    engine.dispose()
    with open_store(made_url) as opened:
        assert stored(opened, "one") == {}
