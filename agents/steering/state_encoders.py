"""State encoders: turn a dialogue into the state vector that a planner reads.

The language model's own state of the seat's unsteered prompt comes by a request to the model; the
sentence encoder reads the visible dialogue by itself, and so gives the same states whichever model
speaks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.prompting import event_line
from simworld.core.arrays import EmbedTexts
from simworld.core.episode import ActionKind, Observation
from simworld.core.requests import Encode, Encoded, Prompt

if TYPE_CHECKING:
    from agents.lm.sentence_encoder import SentenceEncoder

_LM_STATE = ("last layer after the final norm", "before the header", "turns left")
_TEXT_LAYOUT = "goal, then lines; oldest lines dropped"
_LINES_LAYOUT = "own last line, last line heard"
LINES_PREFIX = "lines:"  # of a spec


class StateEncoder(Protocol):
    """Makes states (d_s,) float32: an encoding of the dialogue, then the share of turns left."""

    @property
    def id(self) -> str:
        """Hash of everything that shapes a state; states of two encoders are never mixed."""

    def state_request(self, prompt: Prompt, thread: str) -> Encode | None:
        """What it asks the agent's own model; None where it asks nothing."""

    def make_state(self, observation: Observation, answer: Encoded | None) -> NDArray[np.float32]:
        """The state, from the answer to its request if it made one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LMEncoder:
    """The frozen model's last layer before the header that opens the reply (DAT's state, but never
    one of the reply).
    """

    id: str

    def state_request(self, prompt: Prompt, thread: str) -> Encode | None:
        """Asks for the state of the seat's own unsteered prompt."""
        return Encode(prompt=prompt, thread=thread)

    def make_state(self, observation: Observation, answer: Encoded | None) -> NDArray[np.float32]:
        """(d_model + 1,)."""
        if answer is None:
            raise TypeError("the model's state is missing")
        return append_turns_left(answer.state, observation)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A sentence embedding of the seat's goal and of the dialogue as it sees it; the oldest lines
    go where it is too long.
    """

    id: str
    embed: Callable[[str, Sequence[str]], NDArray[np.float32]]  # head and lines → (d,)
    size: int  # d

    def state_request(self, prompt: Prompt, thread: str) -> Encode | None:
        """Asks nothing."""
        return None

    def make_state(self, observation: Observation, answer: Encoded | None) -> NDArray[np.float32]:
        """(d + 1,); 385 for the built-in encoder."""
        head = f"{observation.label}'s goal: {observation.goal}"
        spoken = [event for event in observation.events if event.action.kind is not ActionKind.none]
        return append_turns_left(
            self.embed(head, [event_line(event, observation) for event in spoken]), observation
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesEncoder:
    """Sentence embeddings of the seat's own last words and of the last words that it heard, side by
    side: what was just said, undiluted by the dialogue before it.
    """

    id: str
    embed: EmbedTexts
    size: int  # 2 d

    def state_request(self, prompt: Prompt, thread: str) -> Encode | None:
        """Asks nothing."""
        return None

    def make_state(self, observation: Observation, answer: Encoded | None) -> NDArray[np.float32]:
        """(2 d + 1,); 769 for the built-in encoder."""
        own, heard = "", ""
        for event in observation.events:
            words = "" if event.action.kind is ActionKind.none else event.action.text
            if event.seat == observation.seat:
                own = words
            elif event.action.kind is not ActionKind.none:
                heard = words
        state: NDArray[np.float32] = self.make_states([own], [heard], [turns_left(observation)])[0]
        return state

    def make_states(
        self, own: Sequence[str], heard: Sequence[str], turns_left: Sequence[float]
    ) -> NDArray[np.float32]:
        """(n, 2 d + 1) of n moments: own last words, words last heard (0 where there are none), and
        the share of turns left.
        """
        texts = sorted({text for text in (*own, *heard) if text.strip()})
        size = self.size // 2
        vectors = dict.fromkeys(("", *own, *heard), np.zeros(size, dtype=np.float32))
        if texts:
            vectors |= dict(zip(texts, np.asarray(self.embed(texts), np.float32), strict=True))
        rows = [
            np.concatenate([vectors[mine], vectors[theirs], [left]])
            for mine, theirs, left in zip(own, heard, turns_left, strict=True)
        ]
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, self.size + 1), "f4")


def append_turns_left(vector: NDArray[np.float32], observation: Observation) -> NDArray[np.float32]:
    """The vector (d,) with the share of turns left behind it, (d + 1,) float32."""
    return np.append(vector, turns_left(observation)).astype(np.float32)


def turns_left(observation: Observation) -> float:
    """The share of the episode's turns that is left."""
    return (observation.turns_limit - observation.turn) / observation.turns_limit


def lm_encoder_id(lm_id: str, prompt_version: str) -> str:
    """`lm-` and 96 bits of the hash of model, prompt template, layer and place of the state."""
    return _hash_id("lm", lm_id, prompt_version, *_LM_STATE)


def is_lm_encoder(encoder_id: str) -> bool:
    """Whether an id is of states that a language model makes."""
    return encoder_id.startswith("lm-")


def text_encoder_id(model_id: str) -> str:
    """`text-` and 96 bits of the hash of the sentence encoder's weights and of what it reads."""
    return _hash_id("text", model_id, _TEXT_LAYOUT, "turns left")


def load_text_encoder(spec: str) -> TextEncoder | LinesEncoder:
    """What reads the dialogue with the sentence encoder that a spec names, on the CPU:
    `builtin:all-minilm-l6-v2`, or `hf:` and a folder, reads all of it; with `lines:` before that,
    the last line of each side. Raises ModelError.
    """
    from agents.lm.sentence_encoder import load_sentence_encoder

    if spec.startswith(LINES_PREFIX):
        return load_lines_encoder(spec)
    encoder = load_sentence_encoder(spec)
    embed = partial(_embed_dialogue, encoder)
    return TextEncoder(id=text_encoder_id(encoder.id), embed=embed, size=len(embed("", ())))


def load_lines_encoder(spec: str) -> LinesEncoder:
    """What reads the last line of each side, of a spec that begins with `lines:`. Raises
    ModelError.
    """
    from agents.lm.sentence_encoder import load_sentence_encoder

    encoder = load_sentence_encoder(spec.removeprefix(LINES_PREFIX))
    return LinesEncoder(
        id=_hash_id("text", encoder.id, _LINES_LAYOUT, "turns left"),
        embed=encoder.encode,
        size=2 * encoder.encode(["."]).shape[1],
    )


def _embed_dialogue(
    encoder: SentenceEncoder, head: str, lines: Sequence[str]
) -> NDArray[np.float32]:
    kept = [head]
    for dropped in range(len(lines) + 1):
        kept = [head, *lines[dropped:]]
        if encoder.tokens("\n".join(kept)) <= encoder.limit:
            break
    (vector,) = encoder.encode(["\n".join(kept)], normalise=False)
    return np.asarray(vector, dtype=np.float32)


def _hash_id(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"
