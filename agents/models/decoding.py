"""The batch: rows decoded together, joined by new ones between steps, and left by each at its own end.

A step is one call of the model: one token for every row, and in the same call the unread part of the prompts of the rows that have
just joined, so that reading costs no pass of its own. Rows of similar length share a slab, so that attention reads little padding.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from agents.models.attention import Pass, Rows
from agents.models.groups import Group
from agents.models.local_model import LocalModel
from agents.models.meter import Meter
from agents.models.rows import Row
from agents.models.sampling import sample
from agents.models.slab import capacity_for
from agents.models.threads import Threads
from simworld.core.errors import Failure
from simworld.core.requests import Completion


class Batch:
    """Rows under way."""

    def __init__(self, local: LocalModel, threads: Threads, meter: Meter) -> None:
        self._local = local
        self._threads = threads
        self._meter = meter
        self._groups: dict[int, Group] = {}  # by capacity

    @property
    def rows(self) -> list[Row]:
        """Those that have not ended."""
        return [row for group in self._groups.values() for row in group.rows]

    def bytes_with(self, row: Row) -> int:
        """Memory of the slabs if this row joined too."""
        capacity = capacity_for(row.longest)
        joined = self._groups.get(capacity) or Group(self._local.shape, capacity)
        others = sum(group.bytes() for group in self._groups.values() if group is not joined)
        return others + joined.bytes(more=True)

    def unread(self, row: Row) -> int:
        """How many tokens of a row's prompt would have to be read if it joined now."""
        thread = self._threads.find(row.request.thread)
        return len(row.ids) - (thread.shared(row.ids) if thread else 0)

    def join(self, row: Row) -> None:
        """Takes a row in, with what its thread has cached; the rest of its prompt is read with the next step."""
        capacity = capacity_for(row.longest)
        if capacity not in self._groups:
            self._groups[capacity] = Group(self._local.shape, capacity)
        thread = self._threads.find(row.request.thread)
        cached = thread.kv[:, :, :, : thread.shared(row.ids)] if thread else None
        self._groups[capacity].join(row, cached)

    def step(self) -> list[tuple[Row, Completion]]:
        """One token for every row; the rows that end with it, with their completions. Errors of the model pass through."""
        begun = time.perf_counter()
        for group in self._groups.values():
            group.close_ranks()
        self._groups = {capacity: group for capacity, group in self._groups.items() if group.rows}
        rows = [(row, group) for group in self._groups.values() for row in group.rows]
        logits = self._forward([row for row, _ in rows])
        read = time.perf_counter()
        tokens, logprobs = self._draw([row for row, _ in rows], logits)
        drawn = time.perf_counter()
        done: list[tuple[Row, Completion]] = []
        for (row, group), token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            completion: Completion | None
            if logprob != logprob:
                message = f"the model gave no finite logits at reply token {len(row.reply)}"
                completion = Failure(boundary="model", kind="not-finite", message=message)
                group.wipe(row)
            else:
                completion = row.take(token, logprob, self._local)
                if completion is not None and row.request.thread:
                    cached = (row.ids + row.reply)[: row.cached]
                    self._threads.keep(row.request.thread, cached, group.view(row))
            if completion is not None:
                done.append((row, completion))
                group.leave(row)
        self._meter.add("forward", begun, read)
        self._meter.add("sample", read, drawn)
        self._meter.add("finish", drawn, time.perf_counter())
        return done

    def empty(self) -> list[Row]:
        """Takes all rows out, as they are."""
        rows = self.rows
        self._groups.clear()
        return rows

    def _forward(self, rows: Sequence[Row]) -> Tensor:
        device = self._local.device
        # The last token of a new prompt goes with those of the other rows: it is the one whose logits are asked for.
        ids = [row.reply[-1] if row.reply else row.ids[-1] for row in rows]
        spans, parts = [], []
        for group in self._groups.values():
            new, more = group.unread()
            spans.extend(new)
            ids.extend(more)
            places = torch.tensor([row.cached for row in group.rows], device=device)
            parts.append(Rows(group.slab.kv[:, :, : len(places)], places))
        logits = self._local.read(ids, Pass(parts, spans, device), range(len(rows)))
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
