"""Rewards that need no judge: a pattern, or likeness to a text, measures what a seat's utterances
say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simworld.core.checks import PATTERN_TIMEOUT_S
from simworld.core.errors import InputError
from simworld.core.safe_patterns import compile_pattern
from simworld.training.data.dataset_query import RewardSettings


class UtteranceReward(Protocol):
    """Something measured on utterances."""

    def measure(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Gives a number per text, (n,)."""


class LexicalReward:
    """Gives an utterance 1 where a pattern is found in it, else 0."""

    def __init__(self, pattern: str) -> None:
        self._pattern = compile_pattern(pattern)

    def measure(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Gives 1 or 0 per text, (n,). Raises InputError where the pattern takes too long."""
        try:
            return np.array(
                [
                    float(bool(self._pattern.search(text, timeout=PATTERN_TIMEOUT_S)))
                    for text in texts
                ]
            )
        except TimeoutError:
            raise InputError(
                f"reward.pattern: {self._pattern.pattern!r} took longer than {PATTERN_TIMEOUT_S} s"
                " on one utterance; make it simpler"
            ) from None


class EmbeddingReward:
    """Gives the cosine between an utterance's sentence embedding and that of a text, in [−1, 1]; 0
    to an empty utterance.
    """

    def __init__(self, text: str) -> None:
        from agents.lm.sentence_encoder import load_sentence_encoder

        self._encoder = load_sentence_encoder()
        self._target = self._encode([text])[0]
        self._cosines: dict[str, float] = {"": 0.0}

    def measure(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Gives a cosine per text, (n,)."""
        unseen = sorted({text for text in texts if text.strip() and text not in self._cosines})
        if unseen:
            cosines = (self._encode(unseen) @ self._target).tolist()
            self._cosines.update(zip(unseen, cosines, strict=True))
        return np.array([self._cosines[text] if text.strip() else 0.0 for text in texts])

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self._encoder.encode(texts).astype(np.float64)


def make_utterance_reward(settings: RewardSettings) -> UtteranceReward | None:
    """Gives what measures a reward's utterances; None where a judge does."""
    if settings.measure == "lexical":
        return LexicalReward(settings.pattern)
    return EmbeddingReward(settings.text) if settings.measure == "embedding" else None
