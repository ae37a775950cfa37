"""The batch: rows decoded together, joined by new ones between steps, and left by each at its own
end.

A step is one call of the model: one token for every row, and in the same call the unread part of
the prompts of the rows that have just joined, so that reading costs no pass of its own. Rows of
similar length share a KV block, so that attention reads little padding. A row that asks for a state
is read straight into its thread's cache and done after one step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.lm.local.attention import PackedPass, Span, StepRows
from agents.lm.local.common_prefix import common_prefix
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.kv_block import capacity_for
from agents.lm.local.local_model import LocalModel
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import WORTH, PrefixCache
from agents.lm.local.row_group import RowGroup
from agents.lm.local.sampling import sample
from simworld.core.errors import Failure
from simworld.core.requests import Completion, Encode, Generate


class DecodingBatch:
    """Rows under way."""

    def __init__(self, local: LocalModel, prefix_cache: PrefixCache, meter: Meter) -> None:
        self._local = local
        self._prefix_cache = prefix_cache
        self._meter = meter
        self._groups: dict[int, RowGroup] = {}  # by capacity
        self._asked: list[DecodingRow] = []  # for a state

    @property
    def rows(self) -> list[DecodingRow]:
        """Those that have not ended."""
        return [row for group in self._groups.values() for row in group.rows] + self._asked

    def bytes_with(self, row: DecodingRow) -> int:
        """Memory of the KV blocks if this row joined too."""
        if isinstance(row.request, Encode):
            return sum(group.bytes() for group in self._groups.values())
        capacity = capacity_for(row.longest)
        joined = self._groups.get(capacity) or RowGroup(self._local.shape, capacity)
        others = sum(group.bytes() for group in self._groups.values() if group is not joined)
        return others + joined.bytes(more=True)

    def unread(self, row: DecodingRow) -> int:
        """How many tokens of a row's prompt would have to be read if it joined now."""
        cached = self._known(row)
        return len(row.ids) - (0 if cached is None else cached.shape[3])

    def join(self, row: DecodingRow) -> None:
        """Takes a row in, with what its thread or another has cached; the rest of its prompt is
        read with the next step.
        """
        if isinstance(row.request, Encode):
            self._asked.append(row)
            return
        capacity = capacity_for(row.longest)
        if capacity not in self._groups:
            self._groups[capacity] = RowGroup(self._local.shape, capacity)
        self._groups[capacity].join(row, self._known(row))

    def step(self) -> list[tuple[DecodingRow, Completion]]:
        """One token for every row; the rows that end with it, with their completions. Errors of the
        model pass through.
        """
        begun = time.perf_counter()
        for group in self._groups.values():
            group.close_ranks()
        self._groups = {capacity: group for capacity, group in self._groups.items() if group.rows}
        rows = [(row, group) for group in self._groups.values() for row in group.rows]
        logits, states, new = self._forward([row for row, _ in rows])
        read = time.perf_counter()
        tokens, logprobs = self._draw([row for row, _ in rows], logits)
        drawn = time.perf_counter()
        done: list[tuple[DecodingRow, Completion]] = []
        for (row, group), token, logprob in zip(rows, tokens, logprobs, strict=True):
            completion: Completion | None
            if logprob != logprob:
                message = f"the model gave no finite logits at reply token {len(row.reply)}"
                completion = Failure(boundary="model", kind="not-finite", message=message)
                group.wipe(row)
            else:
                completion = row.take(token, logprob, self._local)
                if completion is not None and row.request.thread:
                    cached = (row.ids + row.reply)[: row.cached]
                    self._prefix_cache.keep(row.request.thread, cached, group.view(row))
            if completion is not None:
                done.append((row, completion))
                group.leave(row)
        done.extend(
            (row, row.encoded(state, self._local))
            for row, state in zip(self._asked, states, strict=True)
        )
        self._asked = []
        self._meter.add_pass(begun, read, decoded=len(rows), read=new)
        self._meter.add("sample", read, drawn)
        self._meter.add("finish", drawn, time.perf_counter())
        return done

    def empty(self) -> list[DecodingRow]:
        """Takes all rows out, as they are."""
        rows = self.rows
        self._groups.clear()
        self._asked = []
        return rows

    def _known(self, row: DecodingRow) -> Tensor | None:
        """The cache of a prompt's first tokens, (layers, 2, kv heads, tokens, head size): its
        thread's, or another's longest.
        """
        if not row.request.thread:
            return None
        own = self._prefix_cache.find(row.request.thread)
        thread = own or self._prefix_cache.nearest(row.ids)
        best = None if thread is None else thread.kv[:, :, :, : thread.shared(row.ids)]
        if own is None:
            for group in self._groups.values():
                for other in group.rows:
                    known = min(common_prefix(other.ids, row.ids), other.cached, len(row.ids) - 1)
                    if known >= WORTH and (best is None or known > best.shape[3]):
                        best = group.view(other)[:, :, :, :known]
        return best

    def _forward(self, rows: Sequence[DecodingRow]) -> tuple[Tensor, NDArray[np.float32], int]:
        """Logits (len(rows), vocabulary), the states (n, d_model) that are asked for, and how many
        tokens of prompts were read.
        """
        device = self._local.device
        # The last token of a new prompt goes with those of the other rows: it is the one whose
        # logits are asked for.
        ids = [row.reply[-1] if row.reply else row.ids[-1] for row in rows]
        spans, parts = [], []
        for group in self._groups.values():
            new, more = group.unread()
            spans.extend(new)
            ids.extend(more)
            places = torch.tensor([row.cached for row in group.rows], device=device)
            parts.append(StepRows(group.kv_block.kv[:, :, : len(places)], places))
        keep, threads = list(range(len(rows))), []
        for row in self._asked:
            thread = self._prefix_cache.open(row.request.thread, row.ids, len(row.ids))
            thread.ids = thread.ids[: len(row.ids) - 1]
            spans.append(Span(thread.kv, len(thread.ids), len(row.ids) - len(thread.ids)))
            ids.extend(row.ids[len(thread.ids) :])
            keep.append(len(ids) - 1)
            threads.append(thread)
        vectors = (
            {name: vector for row in rows for name, vector in row.vectors.items()}
            if min(ids) < 0
            else None
        )
        with self._local.states() if threads else nullcontext() as heard:
            logits = self._local.read(ids, PackedPass(parts, spans, device), keep, vectors)
        for row in rows:
            row.cached += 1
        states = (
            heard[0][len(rows) :].float().cpu().numpy() if heard else np.empty((0, 0), np.float32)
        )
        for row, thread, state in zip(self._asked, threads, states, strict=True):
            if np.isfinite(state).all():
                thread.ids = list(row.ids)
        return logits[: len(rows)], states, len(ids) - len(rows)

    def _draw(self, rows: Sequence[DecodingRow], logits: Tensor) -> tuple[list[int], list[float]]:
        """A token for each row, and its log-probability."""
        if not rows:
            return [], []
        settings = [row.request.sampling for row in rows if isinstance(row.request, Generate)]
        numbers = torch.tensor(
            [row.stream[len(row.reply)] for row in rows], dtype=torch.float64, device=logits.device
        )
        seen = None
        if any(s.repetition_penalty != 1 for s in settings):
            seen = [torch.tensor(row.penalised, device=logits.device) for row in rows]
        with torch.inference_mode():
            tokens, logprobs = sample(logits, settings, numbers, seen)
        return tokens.tolist(), logprobs.tolist()
