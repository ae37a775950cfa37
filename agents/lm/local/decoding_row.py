"""A request on its way through a batch, and how one can tell that its reply is over."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.lm.local.local_model import LocalModel
from agents.lm.reasoning import SplitReply, spent_on_thinking, split_thought
from simworld.core.errors import Failure
from simworld.core.requests import Encode, Encoded, Generate, Generated
from simworld.core.seeding import uniforms

# at every so many tokens a reply is read in full, should the pieces of its tokens hide a stop
# string
_LOOK = 16


@dataclass(slots=True, kw_only=True, eq=False)
class DecodingRow:
    """A request on its way: its prompt's tokens, and the reply so far.

    Vectors of a prefix stand among the tokens as numbers below zero, made from their content: so
    one rule, the longest common prefix, tells what a cache is good for, with prefixes and without.
    """

    ticket: int
    request: Generate | Encode
    prompt: list[int]  # its tokens; of an Encode those up to the state
    ids: list[int]  # what the model reads: the prompt and the prefix in it
    begun: int  # where in `prompt` the reply begins that is continued; 0: nothing is begun
    submitted: float  # perf_counter, seconds
    stream: NDArray[np.float64]  # (max_new_tokens,) uniforms, one per token; (0,) of an Encode
    vectors: dict[int, NDArray[np.float32]]  # the prefix, by the numbers that stand for it
    inside: bool = False  # the prompt ends inside a thought
    reply: list[int] = field(default_factory=list)
    logprob: float = 0.0
    cached: int = 0  # tokens of prompt and reply in the cache
    tail: str = ""  # the end of the reply, roughly: the pieces of its tokens without blanks

    @property
    def longest(self) -> int:
        """Tokens of prompt, prefix and reply, at most."""
        return len(self.ids) + len(self.stream)

    def restart(self) -> None:
        """Forgets the reply, to be decoded again: the same numbers are drawn."""
        self.reply, self.logprob, self.cached, self.tail = [], 0.0, 0, ""

    @property
    def penalised(self) -> list[int]:
        """The tokens that a repetition penalty is for."""
        return self.prompt[self.begun :] + self.reply

    def encoded(self, state: NDArray[np.float32], local: LocalModel) -> Encoded | Failure:
        """The result of an Encode."""
        if not np.isfinite(state).all():
            return Failure(
                boundary="model", kind="not-finite", message="the model gave no finite state"
            )
        latency = time.perf_counter() - self.submitted
        return Encoded(
            state=state, prompt_tokens=len(self.prompt), latency_s=latency, dtype=local.dtype
        )

    def take(self, token: int, logprob: float, local: LocalModel) -> Generated | Failure | None:
        """Adds a token; the result if the reply ends with it. Stop strings end an answer, and no
        thought.
        """
        self.reply.append(token)
        self.logprob += logprob
        ended = token in local.ends
        full = len(self.reply) == len(self.stream)
        if not ended and not full and not self._may_stop(token, local):
            return None
        tokens = self.reply[:-1] if ended else self.reply
        whole = local.renderer.reply_text(self.prompt, tokens)
        over = full and not ended
        reply = split_thought(whole, local.renderer.reasoning, begun=self.inside, cut=over)
        if over and reply.state == "none" and local.renderer.reasoning == "on":
            reply = split_thought(whole, "on", begun=True, cut=True)
        text = reply.answer
        cut = min((at for stop in self._stop if (at := text.find(stop)) >= 0), default=-1)
        if not ended and not full and cut < 0:
            return None
        thought = self._thought_tokens(reply, tokens, local)
        if over and not text.strip() and reply.state != "none":
            return spent_on_thinking(len(self.stream), thought)
        return Generated(
            # the end may have cut a character in two
            text=(text[:cut] if cut >= 0 else text).rstrip("\ufffd"),
            prompt_tokens=len(self.prompt),
            new_tokens=len(self.reply),
            finish="stop" if ended or cut >= 0 else "length",
            latency_s=time.perf_counter() - self.submitted,
            logprob=self.logprob,
            dtype=local.dtype,
            reasoning=reply.thought,
            reasoning_tokens=thought,
        )

    def _thought_tokens(
        self, reply: SplitReply, tokens: Sequence[int], local: LocalModel
    ) -> int | None:
        """How many of the tokens stand before the answer; None where nothing was thought."""
        if reply.state == "none":
            return None
        if reply.state == "open":
            return len(tokens)
        read = local.renderer.reply_text
        return bisect_left(
            range(len(tokens)), reply.begins, key=lambda k: len(read(self.prompt, tokens[:k]))
        )

    @property
    def _stop(self) -> tuple[str, ...]:
        return self.request.stop if isinstance(self.request, Generate) else ()

    def _may_stop(self, token: int, local: LocalModel) -> bool:
        """Whether a stop string may stand at the end of the reply; decoding a whole reply per token
        would be slow.
        """
        if not self._stop:
            return False
        piece = _bare(local.renderer.piece(token))
        marks = [_bare(stop) for stop in self._stop]
        self.tail = (self.tail + piece)[-(max(map(len, marks)) + len(piece)) :]
        if len(self.reply) % _LOOK == 0 or not all(mark.isascii() for mark in marks):
            return True
        return any(mark in self.tail for mark in marks)


def new_row(
    ticket: int,
    request: Generate | Encode,
    ids: list[int],
    submitted: float,
    *,
    begun: int = 0,
    place: int = 0,
    inside: bool = False,
) -> DecodingRow:
    """A row at its start.

    `ids` are the prompt's tokens, of an Encode those up to the state; a prefix goes in before
    `ids[place]`.
    """
    prefix = request.prefix if isinstance(request, Generate) else None
    embeddings = (
        np.empty((0, 0), np.float32) if prefix is None else np.array(prefix.embeddings, np.float32)
    )
    names = [_name(vector) for vector in embeddings]
    return DecodingRow(
        ticket=ticket,
        request=request,
        prompt=ids,
        ids=[*ids[:place], *names, *ids[place:]],
        begun=begun,
        submitted=submitted,
        stream=uniforms(request.seed, request.sampling.max_new_tokens)
        if isinstance(request, Generate)
        else np.empty(0),
        vectors=dict(zip(names, embeddings, strict=True)),
        inside=inside,
    )


def _name(vector: NDArray[np.float32]) -> int:
    """A number below zero for a vector, 56 bits of its hash: equal vectors have equal ones."""
    return -1 - int.from_bytes(hashlib.blake2b(vector.tobytes(), digest_size=7).digest(), "big")


def _bare(text: str) -> str:
    return text.replace(" ", "")
