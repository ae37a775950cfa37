"""Search by meaning in a server: the encoder is loaded when somebody first asks, and stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from simworld.analysis.embedding_cache import EmbeddingCache
from simworld.analysis.semantic_search import Encoder, SimilarEpisode, encoder_id
from simworld.core.errors import SimworldError
from store import Store

CountEmbeddings = Callable[[str], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticSearchResult:
    """What a search by meaning found."""

    hits: list[SimilarEpisode]  # the nearest first
    compared: int  # episodes that have an embedding
    episodes: int  # in which something happened


class SemanticSearch:
    """The sentence encoder and the embeddings it made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loading: threading.Thread | None = None
        self._loaded: tuple[Encoder, EmbeddingCache] | None = None
        self._load_error: SimworldError | None = None

    def find(
        self, store: Store, text: str, counts: CountEmbeddings, *, run: str | None, limit: int
    ) -> SemanticSearchResult | None:
        """The nearest episodes; None while the encoder is being loaded, which takes some seconds
        once.

        Args:
            store: where they are.
            text: what they are compared with.
            counts: encoder id → `Store.embedding_counts`.
            run: only episodes of this run.
            limit: the most.

        Raises:
            SimworldError: there is no encoder.
        """
        if self._loaded is None:
            self._start_loading()
            return None
        encoder, embeddings = self._loaded
        with self._lock:  # one text at a time, for the encoder uses all the threads it may
            vector = encoder.encode([text])[0]
        compared, episodes = counts(encoder_id(encoder))
        hits = embeddings.nearest(store, vector, total=compared, limit=limit, run=run)
        return SemanticSearchResult(hits=hits, compared=compared, episodes=episodes)

    def _start_loading(self) -> None:
        with self._lock:
            if self._load_error is not None:
                load_error, self._load_error, self._loading = self._load_error, None, None
                raise load_error
            if self._loading is None:
                self._loading = threading.Thread(
                    target=self._load, name="load the encoder", daemon=True
                )
                self._loading.start()

    def _load(self) -> None:
        import torch

        from agents.lm.sentence_encoder import load_sentence_encoder

        torch.set_num_threads(1)  # one short text needs no more, and other pages are made beside it
        try:
            encoder = load_sentence_encoder()
        except SimworldError as error:
            self._load_error = error
            return
        embeddings = EmbeddingCache(encoder_id(encoder), encoder.encode(["a"]).shape[1])
        self._loaded = (encoder, embeddings)
