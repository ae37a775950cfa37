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

from agents.replies.line_similarity import line_similarity
from simworld.core.arrays import EmbedTexts
from simworld.core.episode import Act, ActionKind, Episode
from simworld.stats.intervals import Estimate

T = TypeVar("T")
# share of word pairs that stand in one earlier line, from which on a line is a repeat; LM agents'
# default
REPEAT_SIMILARITY = 0.6
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageQuality:
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
    perplexity_ratio: Estimate | None = None  # to that of the arm others are compared with


EpisodeSeats = Sequence[tuple[Episode, str]]  # what an arm played: episodes, and its seat in each


def measure_language(
    arms: Mapping[str, EpisodeSeats], *, embed: EmbedTexts | None = None, max_embedded: int = 400
) -> dict[str, LanguageQuality]:
    """Arm → its language.

    Args:
        arms: what each played.
        embed: sentence embeddings; without it `utterance_dispersion` is None.
        max_embedded: utterances of an arm that are embedded, spread evenly over all it said.
    """
    words = {arm: spoken_words(seats) for arm, seats in arms.items()}
    word_limit = min((sum(map(len, said)) for said in words.values()), default=0)
    languages = {}
    for arm, seats in arms.items():
        acts = _acts(seats)
        spoken = spoken_acts(seats)
        repeats = [repeat for episode, seat in seats for repeat in repeat_flags(episode, seat)]
        actions = [
            act.plan.action for act in acts if act.plan is not None and act.plan.action is not None
        ]
        texts = [act.action.text for act in evenly_spaced(spoken, max_embedded)]
        languages[arm] = LanguageQuality(
            utterances=len(spoken),
            empty_share=(len(acts) - len(spoken)) / len(acts) if acts else None,
            words=sum(map(len, words[arm])) / len(spoken) if spoken else None,
            distinct_1=distinct_share(words[arm], 1, word_limit),
            distinct_2=distinct_share(words[arm], 2, word_limit),
            repeated_share=sum(repeats) / len(repeats) if repeats else None,
            action_dispersion=dispersion(np.stack(actions))
            if len({a.shape for a in actions}) == 1
            else None,
            utterance_dispersion=dispersion(embed(texts))
            if embed is not None and len(texts) > 1
            else None,
        )
    return languages


def distinct_share(utterances: Sequence[Sequence[str]], n: int, word_limit: int) -> float | None:
    """Different n-grams by n-grams in the first `word_limit` words; n-grams do not cross
    utterances. None where there are none.
    """
    grams: list[tuple[str, ...]] = []
    words_left = word_limit
    for words in utterances:
        kept = words[: max(0, words_left)]
        words_left -= len(kept)
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
    points = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit = np.divide(points, lengths, out=np.zeros_like(points), where=lengths > 0)
    cosine_sum = float(np.square(unit.sum(0)).sum() - np.square(unit).sum())
    return max(0.0, 1 - cosine_sum / (count * (count - 1)))  # rounding may leave it below


def evenly_spaced(items: Sequence[T], max_items: int) -> Sequence[T]:
    """At most so many of the items, at even distances."""
    if len(items) <= max_items:
        return items
    return [items[i * len(items) // max_items] for i in range(max_items)]


def _acts(seats: EpisodeSeats) -> list[Act]:
    return [act for episode, seat in seats for act in episode.acts if act.seat == seat]


def spoken_acts(seats: EpisodeSeats) -> list[Act]:
    """The acts of an arm in which it said or did something in words."""
    return [
        act
        for act in _acts(seats)
        if act.action.kind is not ActionKind.none and act.action.text.strip()
    ]


def spoken_words(seats: EpisodeSeats) -> list[list[str]]:
    """The words of each utterance of an arm."""
    return [_WORD.findall(act.action.text.casefold()) for act in spoken_acts(seats)]


def repeat_flags(episode: Episode, seat: str) -> list[bool]:
    """Of each utterance of a seat, whether it repeats an earlier line of the episode."""
    earlier: list[str] = []
    flags = []
    for act in episode.acts:
        text = act.action.text
        if act.action.kind is ActionKind.none or not text.strip():
            continue
        if act.seat == seat:
            flags.append(line_similarity(text, earlier) >= REPEAT_SIMILARITY)
        earlier.append(text)
    return flags
