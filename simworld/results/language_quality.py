"""The language of arms, to be read beside their scores: a planner that breaks the language has
gained nothing.

Arms are compared on equal amounts of text: distinct-n falls as a text grows, so every arm is read
up to the words of the shortest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.line_similarity import similarity
from simworld.core.arrays import EmbedTexts
from simworld.core.episode import Act, ActionKind, Episode

T = TypeVar("T")
REPEATED = (
    # share of word pairs that stand in one earlier line, from which on a line is a repeat; LM
    # agents' default
    0.6
)

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How an arm speaks. Shares are in [0, 1]; None where there is nothing to measure."""

    utterances: int  # acts with a text
    empty_share: float | None  # of its acts: those that said and did nothing
    words: float | None  # per utterance
    # different words by words (Li et al. 2016), over as many words in every arm
    distinct_1: float | None
    distinct_2: float | None  # different word pairs by word pairs
    # of its utterances: those that repeat an earlier line of the episode
    repeated_share: float | None
    # mean cosine distance of two actions, 0 where the planner does one thing only
    action_dispersion: float | None
    utterance_dispersion: float | None = None  # of two utterances' sentence embeddings
    perplexity: float | None = None  # of its replies under the unsteered model


EpisodeSeats = Sequence[tuple[Episode, str]]  # what an arm played: episodes, and its seat in each


def qualities(
    arms: Mapping[str, EpisodeSeats], *, embed: EmbedTexts | None = None, most: int = 400
) -> dict[str, Quality]:
    """Arm → its language.

    Args:
        arms: what each played.
        embed: sentence embeddings; without it `utterance_dispersion` is None.
        most: utterances of an arm that are embedded, spread evenly over all it said.
    """
    words = {arm: spoken_words(seats) for arm, seats in arms.items()}
    limit = min((sum(map(len, said)) for said in words.values()), default=0)
    found = {}
    for arm, seats in arms.items():
        acts = _acts(seats)
        spoken = _spoken(seats)
        repeats = [repeat for episode, seat in seats for repeat in _repeats(episode, seat)]
        actions = [
            act.plan.action for act in acts if act.plan is not None and act.plan.action is not None
        ]
        texts = [act.action.text for act in evenly_spaced(spoken, most)]
        found[arm] = Quality(
            utterances=len(spoken),
            empty_share=(len(acts) - len(spoken)) / len(acts) if acts else None,
            words=sum(map(len, words[arm])) / len(spoken) if spoken else None,
            distinct_1=distinct(words[arm], 1, limit),
            distinct_2=distinct(words[arm], 2, limit),
            repeated_share=sum(repeats) / len(repeats) if repeats else None,
            action_dispersion=dispersion(np.stack(actions))
            if len({a.shape for a in actions}) == 1
            else None,
            utterance_dispersion=dispersion(embed(texts))
            if embed is not None and len(texts) > 1
            else None,
        )
    return found


def distinct(utterances: Sequence[Sequence[str]], n: int, limit: int) -> float | None:
    """Different n-grams by n-grams in the first `limit` words; n-grams do not cross utterances.
    None where there are none.
    """
    grams: list[tuple[str, ...]] = []
    left = limit
    for words in utterances:
        kept = words[: max(0, left)]
        left -= len(kept)
        grams += [tuple(kept[i : i + n]) for i in range(len(kept) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def dispersion(vectors: NDArray[np.floating]) -> float | None:
    """The mean cosine distance of two of n vectors (n, d), [0, 2]: 0 where all point one way, about
    1 where they point anywhere.

    None for fewer than two vectors; a vector of length zero has the distance 1 to all others.
    """
    count = len(vectors)
    if count < 2:
        return None
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    same = float(np.square(unit.sum(0)).sum() - np.square(unit).sum())
    return max(0.0, 1 - same / (count * (count - 1)))  # rounding may leave it below


def evenly_spaced(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the items, at even distances."""
    if len(items) <= most:
        return items
    return [items[i * len(items) // most] for i in range(most)]


def _acts(seats: EpisodeSeats) -> list[Act]:
    return [act for episode, seat in seats for act in episode.acts if act.seat == seat]


def _spoken(seats: EpisodeSeats) -> list[Act]:
    return [
        act
        for act in _acts(seats)
        if act.action.kind is not ActionKind.none and act.action.text.strip()
    ]


def spoken_words(seats: EpisodeSeats) -> list[list[str]]:
    """The words of each utterance of an arm."""
    return [_WORD.findall(act.action.text.casefold()) for act in _spoken(seats)]


def _repeats(episode: Episode, seat: str) -> list[bool]:
    earlier: list[str] = []
    found = []
    for act in episode.acts:
        text = act.action.text
        if act.action.kind is ActionKind.none or not text.strip():
            continue
        if act.seat == seat:
            found.append(similarity(text, earlier) >= REPEATED)
        earlier.append(text)
    return found
