"""A request on its way through a batch, and how one can tell that its reply is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.models.local_model import LocalModel
from simworld.core.requests import Generate, Generated
from simworld.core.seeding import uniforms

_LOOK = 16  # at every so many tokens a reply is read in full, should the pieces of its tokens hide a stop string


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A request on its way: its prompt's tokens, and the reply so far."""

    ticket: int
    request: Generate
    ids: list[int]
    begun: int  # where in `ids` the reply begins that is continued; 0: nothing is begun
    submitted: float  # perf_counter, seconds
    stream: NDArray[np.float64]  # (max_new_tokens,) uniforms, one per token
    reply: list[int] = field(default_factory=list)
    logprob: float = 0.0
    cached: int = 0  # tokens of prompt and reply in the cache
    tail: str = ""  # the end of the reply, roughly: the pieces of its tokens without blanks

    @property
    def longest(self) -> int:
        """Tokens of prompt and reply, at most."""
        return len(self.ids) + len(self.stream)

    def restart(self) -> None:
        """Forgets the reply, to be decoded again: the same numbers are drawn."""
        self.reply, self.logprob, self.cached, self.tail = [], 0.0, 0, ""

    def take(self, token: int, logprob: float, local: LocalModel) -> Generated | None:
        """Adds a token; the result if the reply ends with it."""
        self.reply.append(token)
        self.logprob += logprob
        ended = token in local.ends
        full = len(self.reply) == len(self.stream)
        if not ended and not full and not self._may_stop(token, local):
            return None
        text = local.renderer.reply_text(self.ids, self.reply[:-1] if ended else self.reply)
        cut = min((at for stop in self.request.stop if (at := text.find(stop)) >= 0), default=-1)
        if not ended and not full and cut < 0:
            return None
        return Generated(
            text=(text[:cut] if cut >= 0 else text).rstrip("\ufffd"),  # the end may have cut a character in two
            prompt_tokens=len(self.ids),
            new_tokens=len(self.reply),
            finish="stop" if ended or cut >= 0 else "length",
            latency_s=time.perf_counter() - self.submitted,
            logprob=self.logprob,
            dtype=local.dtype,
        )

    def _may_stop(self, token: int, local: LocalModel) -> bool:
        """Whether a stop string may stand at the end of the reply; decoding a whole reply per token would be slow."""
        if not self.request.stop:
            return False
        piece = _bare(local.renderer.piece(token))
        marks = [_bare(stop) for stop in self.request.stop]
        self.tail = (self.tail + piece)[-(max(map(len, marks)) + len(piece)) :]
        if len(self.reply) % _LOOK == 0 or not all(mark.isascii() for mark in marks):
            return True
        return any(mark in self.tail for mark in marks)


def new_row(ticket: int, request: Generate, ids: list[int], submitted: float, begun: int = 0) -> Row:
    """A row at its start."""
    stream = uniforms(request.seed, request.sampling.max_new_tokens)
    return Row(ticket=ticket, request=request, ids=ids, begun=begun, submitted=submitted, stream=stream)


def _bare(text: str) -> str:
    return text.replace(" ", "")
