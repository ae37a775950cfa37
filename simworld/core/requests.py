"""What agents and judges ask of a model, and what they get: the messages of the protocols, without
any model in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simworld.core.episode import Observation
from simworld.core.errors import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPrompt:
    """Messages for a model's own chat template; the reply begins with `reply_start`, which is not
    part of the completion.

    Messages are an optional system message, then user and assistant alternating, user first and
    user last. A backend merges the system text into the first user message where the template
    refuses it. A server that cannot continue a begun reply gets `reply_start` at the end of the
    last user message.
    """

    messages: tuple[Message, ...]
    reply_start: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrompt:
    """Plain text that the model continues, without a chat template."""

    text: str


Prompt = ChatPrompt | TextPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is drawn. Order: repetition penalty, temperature, top-k, min-p, top-p, then the
    inverse distribution function.
    """

    temperature: float = 0.8  # 0: greedy
    top_k: int = 0  # 0: off
    top_p: float = 1.0
    min_p: float = 0.0
    # on tokens of the reply, also of one that was begun; else on those of the whole prompt
    repetition_penalty: float = 1.0
    max_new_tokens: int = 64


Position = Literal["start", "mid", "end"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefix:
    """Embeddings that a local model reads at one place of the prompt as if they were tokens
    (Dialogue Action Tokens).

    `start`: before the first token, or after a beginning-of-sequence token that the tokenizer adds
    by itself. `mid`: between the instructions and the dialogue. `end`: after the dialogue, before
    the header that opens the reply; the header is what the chat template adds for a reply, or the
    speaker's `Name:` where the reply continues a script.
    """

    position: Position
    # (L, d_model), L at least 1; as the first layer gets them, after the model's own scaling
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Ask for a continuation."""

    prompt: Prompt
    sampling: Sampling
    seed: int  # of the uniform random numbers, one per token
    stop: tuple[str, ...] = ()  # the reply ends before the first of these
    # requests of one thread share most of their prompt; a backend may keep a cache for it
    thread: str = ""
    json_schema: Mapping[str, Any] | None = None  # structured output; servers only
    prefix: Prefix | None = None  # local models only


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Ask for the log-probability of each continuation after one shared prompt."""

    prompt: Prompt
    continuations: tuple[str, ...]
    thread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """Ask for the state of a prompt: the last layer's output at the last token before the header
    that opens the reply.
    """

    prompt: Prompt
    thread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPerson:
    """Ask a person in front of the terminal."""

    observation: Observation
    note: str = ""  # why they are asked again


Request = Generate | Score | Encode | AskPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A continuation, and what it took."""

    text: str  # without the stop string and without special tokens
    prompt_tokens: int
    new_tokens: int
    finish: Literal["stop", "length"]
    latency_s: float  # from submit to completion
    # nats; of the sampled tokens under the model, at temperature 1 and before any cut
    logprob: float | None = None
    dtype: str = ""
    # what the model thought before it answered: never speech, and not part of `text`
    reasoning: str = ""
    # those of `new_tokens` that were thought; None where it is not known
    reasoning_tokens: int | None = None

    @property
    def raw(self) -> str:
        """The whole reply: thoughts, where there are any, between `<think>` and `</think>`, and
        then the text.
        """
        return (
            f"<think>\n{self.reasoning}\n</think>\n\n{self.text}" if self.reasoning else self.text
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A log-probability per continuation, in the order asked."""

    logprobs: tuple[float, ...]  # nats, summed over the continuation's tokens
    lengths: tuple[int, ...]  # tokens in each continuation
    prompt_tokens: int
    latency_s: float
    dtype: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """The state of a prompt."""

    state: NDArray[np.float32]  # (d_model,), after the model's final norm
    prompt_tokens: int  # those up to the state
    latency_s: float
    dtype: str = ""


Completion = Generated | Scored | Encoded | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A ticket that is done: a result or a failure."""

    ticket: int
    completion: Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a backend runs."""

    spec: str  # as the user wrote it: "builtin:smollm2-135m-instruct"
    id: str  # content hash where the weights are local, else a hash of name and address
    dtype: str  # "float32", "bfloat16", or "" for a server
    context: int | None  # tokens, prompt and reply together; None where unknown
    width: int | None = None  # d_model of a local model; None for a server: no prefixes, no states
    # mean Euclidean norm of a local model's token embeddings, after its own scaling
    embedding_norm: float | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
