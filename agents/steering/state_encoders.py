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
from simworld.core.episode import ActionKind, Observation
from simworld.core.requests import Encode, Encoded, Prompt

if TYPE_CHECKING:
    from agents.lm.sentence_encoder import SentenceEncoder

_LM_STATE = ("last layer after the final norm", "before the header", "turns left")
_TEXT_LAYOUT = "goal, then lines; oldest lines dropped"


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


def append_turns_left(vector: NDArray[np.float32], observation: Observation) -> NDArray[np.float32]:
    """The vector (d,) with the share of turns left behind it, (d + 1,) float32."""
    turns_left_share = (observation.turns_limit - observation.turn) / observation.turns_limit
    return np.append(vector, turns_left_share).astype(np.float32)


def lm_encoder_id(lm_id: str, prompt_version: str) -> str:
    """`lm-` and 96 bits of the hash of model, prompt template, layer and place of the state."""
    return _hash_id("lm", lm_id, prompt_version, *_LM_STATE)


def is_lm_encoder(encoder_id: str) -> bool:
    """Whether an id is of states that a language model makes."""
    return encoder_id.startswith("lm-")


def text_encoder_id(model_id: str) -> str:
    """`text-` and 96 bits of the hash of the sentence encoder's weights and of what it reads."""
    return _hash_id("text", model_id, _TEXT_LAYOUT, "turns left")


def load_text_encoder(spec: str) -> TextEncoder:
    """The sentence encoder that a spec names (`builtin:all-minilm-l6-v2`, or `hf:` and a folder),
    on the CPU. Raises ModelError.
    """
    from agents.lm.sentence_encoder import load_sentence_encoder

    encoder = load_sentence_encoder(spec)
    embed = partial(_embed_dialogue, encoder)
    return TextEncoder(id=text_encoder_id(encoder.id), embed=embed, size=len(embed("", ())))


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
