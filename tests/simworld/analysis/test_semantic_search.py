"""Search by meaning: pieces, means, the nearest; on an encoder that counts words, and once on the
real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simworld.analysis.semantic_search import (
    SimilarEpisode,
    encoder_id,
    episode_lines,
    index_episodes,
    nearest_episodes,
    search_episodes,
    split_for_encoder,
)
from simworld.core.episode import Act, Action, ActionKind, Turn
from simworld.core.errors import InputError
from store import Store
from tests.factories.stored import TICKET, add, begin, item, played

WORDS = ("sorry", "forgiven", "money", "rain")


@dataclass
class Counting:
    """Counts four words; a word is a token."""

    id: str = "counting"
    limit: int = 6
    read: list[str] = field(default_factory=list)

    def tokens(self, text: str) -> int:
        return len(text.split())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += texts
        counts = np.array(
            [[text.count(word) for word in WORDS] for text in texts], np.float32
        ).reshape(-1, len(WORDS))
        lengths = np.linalg.norm(counts, axis=1, keepdims=True)
        return np.asarray(counts / np.where(lengths == 0, 1, lengths), np.float32)


def fill(store: Store, *dialogues: Sequence[str]) -> list[str]:
    work = begin(store, repeats=len(dialogues))
    for one, said in zip(work, dialogues, strict=True):
        add(store, one, played(one, *said))
    return [one.episode_id(1) for one in work]


def test_what_is_read_of_an_episode() -> None:
    kinds = (
        Action(kind=ActionKind.speak, text="Good\nevening."),
        Action(kind=ActionKind.non_verbal, text="nods"),
        Action(kind=ActionKind.none),
        Action(kind=ActionKind.leave, text="Bye."),
        Action(kind=ActionKind.leave),
    )
    turns = tuple(
        Turn(index=n, acts=(Act(seat="buyer", action=action),)) for n, action in enumerate(kinds)
    )
    episode = replace(played(item()), turns=turns)
    assert episode_lines(TICKET, episode) == [
        "One spare ticket.",
        "Tomás: Good evening.",
        "Tomás *nods*",
        "Tomás leaves. Bye.",
        "Tomás leaves.",
    ]


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), max_size=12)
)
def test_pieces_hold_every_line_and_fit_unless_a_line_does_not(given_lines: list[str]) -> None:
    encoder = Counting()
    pieces = split_for_encoder(given_lines, encoder)
    assert "\n".join(pieces).split("\n") == (given_lines or [""])
    assert all(encoder.tokens(piece) <= encoder.limit or "\n" not in piece for piece in pieces)
    for piece, after in pairwise(pieces):  # what comes next would not have fitted in
        assert encoder.tokens(piece) + encoder.tokens(after.split("\n")[0]) > encoder.limit


def test_the_nearest_comes_first_and_nothing_is_embedded_twice(store: Store) -> None:
    encoder = Counting()
    peace, quarrel, weather = fill(
        store,
        ["I am sorry about the money.", "You are forgiven, all is forgiven."],
        ["Where is my money?", "No money here."],
        ["Rain, rain."],
    )
    counts: list[tuple[int, int]] = []
    assert (
        index_episodes(store, encoder, on_progress=lambda done, total: counts.append((done, total)))
        == 3
    )
    assert counts == [(0, 3), (3, 3)]
    hits = search_episodes(store, encoder, "sorry and forgiven")
    assert [hit.episode_id for hit in hits] == [peace, *sorted([quarrel, weather])]
    # Pieces (sorry, money) and (forgiven): the mean of two unit vectors at a right angle is (1, √2,
    # 1) / 2
    assert hits[0].cosine == pytest.approx((0.5 + np.sqrt(0.5)) / np.sqrt(2), abs=1e-6)
    assert [hit.cosine for hit in hits[1:]] == [0, 0]
    before = len(encoder.read)
    assert index_episodes(store, encoder) == 0
    assert len(encoder.read) == before
    assert (
        search_episodes(store, encoder, "money", limit=1)
        == search_episodes(store, encoder, "money")[:1]
    )
    assert search_episodes(store, encoder, "money", run="second") == []
    assert search_episodes(store, Counting(id="another"), "money") == []
    with pytest.raises(InputError, match="nothing to look for"):
        search_episodes(store, encoder, " \n")


def test_neither_blocks_nor_ties_change_what_is_nearest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.embeddings.BATCH", 4)
    ids = fill(store, *[["Hello."]] * 11)
    # nine different ones at most
    rows = np.random.default_rng(0).integers(-1, 2, size=(11, 2)).astype(np.float32)
    store.add_embeddings("e", dict(zip(ids, rows, strict=True)))
    query = np.array([1, 0.5], np.float32)
    ranked = sorted(
        zip(ids, (rows @ query).tolist(), strict=True), key=lambda row: (-row[1], row[0])
    )
    assert len({cosine for _, cosine in ranked}) < 11
    for limit in (1, 2, 3, 5, 11, 20):
        found = nearest_episodes(store, "e", query, limit=limit)
        assert [(hit.episode_id, hit.cosine) for hit in found] == ranked[:limit]


@pytest.mark.model
def test_an_apology_is_found_by_its_meaning(store: Store) -> None:
    from agents.lm.sentence_encoder import load_sentence_encoder

    encoder = load_sentence_encoder()
    apology, haggling, _ = fill(
        store,
        [
            "I broke your vase. I feel terrible about it.",
            "It is all right, really. Let us forget it.",
        ],
        ["Sixty euros for the ticket.", "I can pay fifty at most."],
        ["The train leaves at nine.", "Then we should hurry."],
    )
    assert index_episodes(store, encoder) == 3
    assert (
        search_episodes(store, encoder, "someone apologises and is forgiven")[0].episode_id
        == apology
    )
    assert (
        search_episodes(store, encoder, "two people bargain over a price")[0].episode_id == haggling
    )
    assert isinstance(search_episodes(store, encoder, "x", limit=1)[0], SimilarEpisode)
    assert encoder_id(encoder) == encoder_id(load_sentence_encoder())
