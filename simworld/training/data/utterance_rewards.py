"""Rewards that need no judge: a pattern, or likeness to a text, measures what a seat's utterances
say.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from simworld.core.arrays import EmbedTexts, Floats
from simworld.training.data.reward_rules import found_in

if TYPE_CHECKING:
    from agents.lm.sentence_encoder import SentenceEncoder


class LexicalReward:
    """Gives an utterance 1 where a pattern is found in it, else 0."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def measure(self, texts: Sequence[str]) -> Floats:
        """Gives 1 or 0 per text, (n,). Raises InputError where the pattern takes too long."""
        return np.array([float(found_in(self._pattern, text)) for text in texts])


class TextLikeness:
    """Cosines between the sentence embeddings of texts; each text is embedded once."""

    def __init__(self, embed: EmbedTexts) -> None:
        self._embed = embed
        self._vectors: dict[str, Floats] = {}

    def cosines(self, texts: Sequence[str], targets: Sequence[str]) -> Floats:
        """Gives of each text the cosine with its target, in [−1, 1], (n,); 0 to an empty text."""
        wanted = {text for text in (*texts, *targets) if text.strip()}
        if unseen := sorted(wanted - self._vectors.keys()):
            vectors = np.asarray(self._embed(unseen), dtype=np.float64)
            self._vectors.update(zip(unseen, vectors, strict=True))
        return np.array(
            [
                float(self._vectors[text] @ self._vectors[target]) if text.strip() else 0.0
                for text, target in zip(texts, targets, strict=True)
            ]
        )


class EmbeddingReward:
    """Gives the likeness between an utterance and a text, in [−1, 1]; 0 to an empty utterance."""

    def __init__(self, text: str, embed: EmbedTexts) -> None:
        self._text, self._likeness = text, TextLikeness(embed)

    def measure(self, texts: Sequence[str]) -> Floats:
        """Gives a cosine per text, (n,)."""
        return self._likeness.cosines(texts, [self._text] * len(texts))


def builtin_embedder() -> EmbedTexts:
    """Gives the built-in sentence encoder's embeddings; it is loaded when first asked."""

    @cache
    def encoder() -> SentenceEncoder:
        from agents.lm.sentence_encoder import load_sentence_encoder

        return load_sentence_encoder()

    return lambda texts: encoder().encode(texts)
