"""What a way of replying is, in words: those that rose most where it was taken, and the utterance
that has most of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simworld.core.whole_words import split_words
from simworld.stats.log_odds import compare_tokens

MIN_UTTERANCES = 5  # of a way, to describe it
MAX_WORDS = 3
MIN_Z = 1.0  # of a word that rose: a few utterances tell no more
MAX_QUOTED = 80  # characters of the utterance
MAX_WORD_CHARS = 40  # of a word; what is longer is none


def describe_way(utterances: Sequence[str], others: Sequence[str]) -> str:
    """A way in words, as `thank, appreciate: “Thank you so much.”`; empty where too little was said
    to tell.

    Args:
        utterances: that were said in it.
        others: that were said without, to compare with.
    """
    spoken = [text for text in utterances if text.strip()]
    if len(spoken) < MIN_UTTERANCES or not others:
        return ""
    differences = compare_tokens(_count_words(spoken), _count_words(others))
    risen = {each.token: each.z for each in differences if each.z >= MIN_Z}
    typical = max(spoken, key=lambda text: _share_of_risen(text, risen))
    quoted = " ".join(typical.split())
    if len(quoted) > MAX_QUOTED:
        quoted = quoted[: MAX_QUOTED - 1].rstrip() + "…"
    named = ", ".join(word[:MAX_WORD_CHARS] for word in list(risen)[:MAX_WORDS])
    return f"{named}: “{quoted}”" if named else f"“{quoted}”"


def _count_words(texts: Sequence[str]) -> Counter[str]:
    """How many of the texts have a word: one that is repeated counts once."""
    return Counter(word for text in texts for word in set(split_words(text)))


def _share_of_risen(text: str, risen: dict[str, float]) -> tuple[float, int]:
    """How typical a text is: what its words rose by, for its length; of two the shorter."""
    words = set(split_words(text))
    return sum(risen.get(word, 0.0) for word in words) / max(len(words), 1) ** 0.5, -len(text)
