"""Episodes by what happens in them: one sentence embedding for each, kept in the store, and the
nearest to a text.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simworld.core.episode import ActionKind, Episode
from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from simworld.core.visibility import omniscient_labels
from store import Store

LAYOUT = "setting, then lines; the mean of pieces of whole lines"
EPISODES_PER_BATCH = 16  # episodes that are embedded and committed together
MAX_SCENARIOS = 256  # kept in memory


class Encoder(Protocol):
    """A sentence encoder, as `agents.lm.sentence_encoder` loads one."""

    @property
    def id(self) -> str:
        """Hash of the weights."""
        ...

    @property
    def limit(self) -> int:
        """Tokens of a text that are read."""
        ...

    def tokens(self, text: str) -> int:
        """How long a text is."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """An embedding of each text, (n, d) float32 of length 1."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarEpisode:
    """An episode, and how near it is to what was looked for."""

    episode_id: str
    cosine: float


def encoder_id(encoder: Encoder) -> str:
    """`episode-` and 96 bits of the hash of the weights and of what is read of an episode."""
    return f"episode-{hashlib.sha256(f'{encoder.id}{chr(0)}{LAYOUT}'.encode()).hexdigest()[:24]}"


def index_episodes(
    store: Store,
    encoder: Encoder,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Embeds the episodes that have no embedding yet, each batch committed as it is made, and
    returns how many they were.
    """
    id_ = encoder_id(encoder)
    total = sum(1 for _ in store.unembedded(id_))
    if not total:
        return 0
    scenario_of = lru_cache(MAX_SCENARIOS)(store.scenario)
    missing = store.unembedded(id_)
    done = 0
    while ids := list(islice(missing, EPISODES_PER_BATCH)):
        on_progress(done, total)
        pieces: list[str] = []
        piece_ends = []
        for episode_id in ids:
            episode = store.episode(episode_id, vectors=False).episode
            lines = episode_lines(scenario_of(episode.scenario_id), episode)
            pieces += split_for_encoder(lines, encoder)
            piece_ends.append(len(pieces))
        vectors = np.split(encoder.encode(pieces), piece_ends[:-1])
        store.add_embeddings(
            id_, dict(zip(ids, (_unit_mean(of_one) for of_one in vectors), strict=True))
        )
        done += len(ids)
    on_progress(done, total)
    return done


def search_episodes(
    store: Store, encoder: Encoder, text: str, *, limit: int = 10, run: str | None = None
) -> list[SimilarEpisode]:
    """The episodes nearest in meaning to a text, the nearest first; those without an embedding are
    not found.

    Raises:
        InputError: there is nothing to look for.
    """
    if not text.strip():
        raise InputError("nothing to look for; write what happens in the episode")
    if text.encode(errors="replace").decode() != text:
        raise InputError("what to look for is not UTF-8 text")
    vector = encoder.encode([text])[0]
    return nearest_episodes(store, encoder_id(encoder), vector, limit=limit, run=run)


def nearest_episodes(
    store: Store,
    encoder_id: str,
    vector: NDArray[np.float32],
    *,
    limit: int,
    run: str | None = None,
) -> list[SimilarEpisode]:
    """The stored embeddings with the highest cosine to a vector (d,) of length 1; equal ones by id.
    Holds a block at a time.
    """
    # the negative cosine first, so that a plain order is the wanted one
    best: list[tuple[float, str]] = []
    for ids, block in store.embeddings(encoder_id, len(vector), run=run):
        cosines = block @ vector
        candidates = (
            np.flatnonzero(cosines >= np.partition(cosines, -limit)[-limit])
            if len(ids) > limit
            else range(len(ids))
        )
        best = heapq.nsmallest(limit, [*best, *((-float(cosines[i]), ids[i]) for i in candidates)])
    return [SimilarEpisode(episode_id=id_, cosine=-negative) for negative, id_ in best]


def episode_lines(scenario: Scenario, episode: Episode) -> list[str]:
    """What is read of an episode: the setting, then everything that was said and done, everyone by
    name.
    """
    names = omniscient_labels(scenario)
    texts = [" ".join(scenario.setting.split())]
    for act in episode.acts:
        text, name = " ".join(act.action.text.split()), names[act.seat]
        match act.action.kind:
            case ActionKind.speak:
                texts.append(f"{name}: {text}")
            case ActionKind.leave:
                texts.append(f"{name} leaves. {text}".strip())
            case ActionKind.none:
                pass
            case _:
                texts.append(f"{name} *{text}*")
    return [line for line in texts if line]


def split_for_encoder(lines: Sequence[str], encoder: Encoder) -> list[str]:
    """Pieces of whole lines that the encoder can read; at least one, and a line that is too long is
    a piece by itself.
    """
    return ["\n".join(piece) for piece in _pieces(lines, encoder)] or [""]


def _pieces(lines: Sequence[str], encoder: Encoder) -> Iterator[list[str]]:
    piece: list[str] = []
    piece_tokens = 0
    for line in lines:
        # its marks are counted too, so a piece is never longer than its lines together
        size = encoder.tokens(line)
        if piece and piece_tokens + size > encoder.limit:
            yield piece
            piece, piece_tokens = [], 0
        piece.append(line)
        piece_tokens += size
    if piece:
        yield piece


def _unit_mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    total = vectors.sum(axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), dtype=np.float32)
