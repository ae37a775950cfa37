"""The batch: rows decoded together, joined by new ones between steps, and left by each at its own end.

Row i lives in slot i of the slab. A step is one call of the model: one token for every row, and in the same call the unread part
of the prompts of the rows that have just joined, so that reading costs no pass of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.models.attention import Pass, Rows, Span
from agents.models.local_model import LocalModel
from agents.models.meter import Meter
from agents.models.rows import Row
from agents.models.sampling import sample
from agents.models.slab import Slab
from agents.models.threads import Threads
from simworld.core.errors import Failure
from simworld.core.requests import Completion


class Batch:
    """Rows under way. Not a row moves between steps except into the place of one that has left."""

    def __init__(self, local: LocalModel, threads: Threads, meter: Meter) -> None:
        self._local = local
        self._threads = threads
        self._meter = meter
        self._slab = Slab(local.shape)
        self._slots: list[Row | None] = []
        self._joined: list[tuple[int, Row]] = []

    @property
    def rows(self) -> list[Row]:
        """Those that have not ended."""
        return [row for row in self._slots if row is not None]

    def bytes_with(self, row: Row) -> int:
        """Memory of the slab if this row joined too."""
        slots, tokens = self._slab.grown(len(self.rows) + 1, row.longest)
        return slots * tokens * self._local.shape.token_bytes

    def unread(self, row: Row) -> int:
        """How many tokens of a row's prompt would have to be read if it joined now."""
        thread = self._threads.find(row.request.thread)
        return len(row.ids) - (thread.shared(row.ids) if thread else 0)

    def join(self, row: Row) -> None:
        """Takes a row in, with what its thread has cached; the rest of its prompt is read with the next step."""
        place = next((i for i, other in enumerate(self._slots) if other is None), len(self._slots))
        self._slots[place : place + 1] = [row]
        self._joined.append((place, row))
        self._slab.reserve(place + 1, row.longest)
        thread = self._threads.find(row.request.thread)
        if thread is not None:
            row.cached = thread.shared(row.ids)
            self._slab.load(place, thread.kv[:, :, :, : row.cached])

    def step(self) -> list[tuple[Row, Completion]]:
        """One token for every row; the rows that end with it, with their completions. Errors of the model pass through."""
        rows = self._close_ranks()
        begun = time.perf_counter()
        logits = self._forward(rows)
        read = time.perf_counter()
        tokens, logprobs = self._draw(rows, logits)
        drawn = time.perf_counter()
        done: list[tuple[Row, Completion]] = []
        for slot, (row, token, logprob) in enumerate(zip(rows, tokens.tolist(), logprobs.tolist(), strict=True)):
            completion: Completion | None
            if logprob != logprob:
                at = len(row.reply)
                message = f"the model gave no finite logits at reply token {at}"
                completion = Failure(boundary="model", kind="not-finite", message=message)
                self._slab.wipe(slot)
            else:
                completion = row.take(token, logprob, self._local)
                if completion is not None and row.request.thread:
                    cached = (row.ids + row.reply)[: row.cached]
                    self._threads.keep(row.request.thread, cached, self._slab.view(slot))
            if completion is not None:
                done.append((row, completion))
                self._slots[slot] = None
        self._meter.add("forward", begun, read)
        self._meter.add("sample", read, drawn)
        self._meter.add("finish", drawn, time.perf_counter())
        return done

    def empty(self) -> list[Row]:
        """Takes all rows out, as they are."""
        rows = self.rows
        self._slots, self._joined = [], []
        self._slab.clear()
        return rows

    def _close_ranks(self) -> list[Row]:
        """Moves the last rows into the places of those that left."""
        while None in self._slots:
            last = self._slots.pop()
            if last is None:
                continue
            hole = self._slots.index(None)
            self._slab.move(len(self._slots), hole, last.cached)
            self._slots[hole] = last
            self._joined = [(hole if row is last else slot, row) for slot, row in self._joined]
        return self.rows

    def _forward(self, rows: Sequence[Row]) -> Tensor:
        device = self._local.device
        ids = [row.reply[-1] if row.reply else row.ids[-1] for row in rows]
        spans = []
        for slot, row in self._joined:
            # The last token of the prompt goes with those of the other rows: it is the one whose logits are asked for.
            new = row.ids[row.cached : -1]
            if new:
                spans.append(Span(self._slab.view(slot), row.cached, len(new)))
                ids.extend(new)
                row.cached += len(new)
        self._joined = []
        places = [row.cached for row in rows]
        kv = self._slab.kv[:, :, : len(rows)]
        reading = Pass(Rows(kv, torch.tensor(places, device=device), max(places) + 1), spans, device)
        logits = self._local.read(ids, reading, range(len(rows)))
        for row in rows:
            row.cached += 1
        self._meter.passes += 1
        self._meter.decoded += len(rows)
        self._meter.read += len(ids) - len(rows)
        return logits

    def _draw(self, rows: Sequence[Row], logits: Tensor) -> tuple[Tensor, Tensor]:
        settings = [row.request.sampling for row in rows]
        numbers = torch.tensor([row.stream[len(row.reply)] for row in rows], dtype=torch.float64, device=logits.device)
        seen = None
        if any(s.repetition_penalty != 1 for s in settings):
            seen = [torch.tensor(row.ids[row.begun :] + row.reply, device=logits.device) for row in rows]
        with torch.inference_mode():
            return sample(logits, settings, numbers, seen)
