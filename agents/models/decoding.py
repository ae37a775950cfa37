"""One batch of rows decoded together: each row has its own sampling, random numbers, stop strings and end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.models.local_model import LocalModel
from agents.models.sampling import sample
from simworld.core.errors import Failure
from simworld.core.requests import Completion, Generate, Generated
from simworld.core.seeding import uniforms


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

    def restart(self) -> None:
        """Forgets the reply, to be decoded again: the same numbers are drawn."""
        self.reply, self.logprob = [], 0.0


def new_row(ticket: int, request: Generate, ids: list[int], submitted: float, begun: int = 0) -> Row:
    """A row at its start."""
    stream = uniforms(request.seed, request.sampling.max_new_tokens)
    return Row(ticket=ticket, request=request, ids=ids, begun=begun, submitted=submitted, stream=stream)


class Batch:
    """Rows padded on the left to one length. `step` draws one token for each, and hands out and drops the rows that are done."""

    def __init__(self, local: LocalModel, rows: Sequence[Row]) -> None:
        self._local = local
        self.rows = list(rows)
        self._cache: Any = None
        self._mask = torch.zeros(0)
        self._next = torch.zeros(0)  # (rows, 1) the tokens drawn last

    def step(self) -> list[tuple[Row, Completion]]:
        """One token for every row; the rows that end with it, with their completions. Errors of the model pass through."""
        logits = self._prefill() if self._cache is None else self._decode()
        tokens, logprobs = self._draw(logits)
        done: list[tuple[Row, Completion]] = []
        for row, token, logprob in zip(self.rows, tokens.tolist(), logprobs.tolist(), strict=True):
            if logprob != logprob:
                done.append(
                    (row, _failure("not-finite", f"the model gave no finite logits at reply token {len(row.reply)}"))
                )
                continue
            row.reply.append(token)
            row.logprob += logprob
            if (completion := self._end(row, token)) is not None:
                done.append((row, completion))
        self._next = tokens[:, None]
        self._drop({row.ticket for row, _ in done})
        return done

    def _prefill(self) -> Tensor:
        width = max(len(row.ids) for row in self.rows)
        ids = torch.zeros(len(self.rows), width, dtype=torch.int64)
        mask = torch.zeros(len(self.rows), width, dtype=torch.int64)
        for i, row in enumerate(self.rows):
            ids[i, width - len(row.ids) :] = torch.tensor(row.ids)
            mask[i, width - len(row.ids) :] = 1
        self._mask = mask.to(self._local.device)
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
        self._cache = self._local.new_cache()
        return self._local.forward(ids.to(self._local.device), self._mask, positions, self._cache, keep=1)[:, 0]

    def _decode(self) -> Tensor:
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], dim=-1)
        positions = self._mask.sum(-1, keepdim=True) - 1
        return self._local.forward(self._next, self._mask, positions, self._cache, keep=1)[:, 0]

    def _draw(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        settings = [row.request.sampling for row in self.rows]
        numbers = torch.tensor(
            [row.stream[len(row.reply)] for row in self.rows], dtype=torch.float64, device=logits.device
        )
        seen = None
        if any(s.repetition_penalty != 1 for s in settings):
            seen = [torch.tensor(row.ids[row.begun :] + row.reply, device=logits.device) for row in self.rows]
        with torch.inference_mode():
            return sample(logits, settings, numbers, seen)

    def _end(self, row: Row, token: int) -> Completion | None:
        ended = token in self._local.ends
        text = ""
        if ended or row.request.stop or len(row.reply) == len(row.stream):
            spoken = row.reply[:-1] if ended else row.reply
            text = self._local.renderer.reply_text(row.ids, spoken)
        cut = min((at for stop in row.request.stop if (at := text.find(stop)) >= 0), default=-1)
        if not ended and cut < 0 and len(row.reply) < len(row.stream):
            return None
        return Generated(
            text=(text[:cut] if cut >= 0 else text).rstrip("\ufffd"),  # the end may have cut a character in two
            prompt_tokens=len(row.ids),
            new_tokens=len(row.reply),
            finish="stop" if ended or cut >= 0 else "length",
            latency_s=time.perf_counter() - row.submitted,
            logprob=row.logprob,
            dtype=self._local.dtype,
        )

    def _drop(self, tickets: set[int]) -> None:
        keep = [i for i, row in enumerate(self.rows) if row.ticket not in tickets]
        if len(keep) == len(self.rows):
            return
        self.rows = [self.rows[i] for i in keep]
        if not keep:
            self._cache = None
            return
        index = torch.tensor(keep, device=self._local.device)
        with torch.inference_mode():
            self._cache.batch_select_indices(index)
            self._mask, self._next = self._mask[index], self._next[index]


def _failure(kind: str, message: str) -> Failure:
    return Failure(boundary="model", kind=kind, message=message)
