"""The batch: rows decoded together, joined by new ones between steps, and left by each at its own
end.

A step is one call of the model: a decode step of every row, and in the same call the prefill of the
rows that have just joined, so that reading prompts costs no pass of its own. Rows of similar length
share a KV block, so that attention reads little padding. A row that asks for a state is read
straight into its thread's cache and done after one step.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.lm.local.attention import DecodeRows, PackedPass, PrefillSpan
from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.kv_block import capacity_for
from agents.lm.local.local_model import LocalModel
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import MIN_SHARED_TOKENS, PrefixCache
from agents.lm.local.row_group import RowGroup
from agents.lm.local.sampling import sample_tokens
from simworld.core.errors import model_failure
from simworld.core.requests import Completion, Encode, Generate


class DecodingBatch:
    """The rows that are decoded together."""

    def __init__(self, local: LocalModel, prefix_cache: PrefixCache, meter: Meter) -> None:
        self._local = local
        self._prefix_cache = prefix_cache
        self._meter = meter
        self._groups: dict[int, RowGroup] = {}  # by capacity
        self._encode_rows: list[DecodingRow] = []  # for a state

    @property
    def rows(self) -> list[DecodingRow]:
        """Those that have not ended."""
        return [row for group in self._groups.values() for row in group.rows] + self._encode_rows

    def kv_bytes_with(self, row: DecodingRow) -> int:
        """Memory of the KV blocks if this row joined too."""
        if isinstance(row.request, Encode):
            return sum(group.kv_bytes() for group in self._groups.values())
        capacity = capacity_for(row.max_tokens)
        joined = self._groups.get(capacity) or RowGroup(self._local.cache_shape, capacity)
        others = sum(group.kv_bytes() for group in self._groups.values() if group is not joined)
        return others + joined.kv_bytes(one_more=True)

    def uncached_tokens(self, row: DecodingRow) -> int:
        """How many tokens of a row's prompt would have to be read if it joined now."""
        cached = self._cached_prefix(row)
        return len(row.input_ids) - (0 if cached is None else cached.shape[3])

    def join(self, row: DecodingRow) -> None:
        """Takes a row in, with what its thread or another has cached; the rest of its prompt is
        read with the next step.
        """
        if isinstance(row.request, Encode):
            self._encode_rows.append(row)
            return
        capacity = capacity_for(row.max_tokens)
        if capacity not in self._groups:
            self._groups[capacity] = RowGroup(self._local.cache_shape, capacity)
        self._groups[capacity].join(row, self._cached_prefix(row))

    def step(self) -> list[tuple[DecodingRow, Completion]]:
        """One token for every row; the rows that end with it, with their completions. Errors of the
        model pass through.
        """
        started = time.perf_counter()
        for group in self._groups.values():
            group.compact()
        self._groups = {capacity: group for capacity, group in self._groups.items() if group.rows}
        rows = [(row, group) for group in self._groups.values() for row in group.rows]
        logits, states, prefill_tokens = self._forward([row for row, _ in rows])
        computed = time.perf_counter()
        tokens, logprobs = self._sample([row for row, _ in rows], logits)
        sampled = time.perf_counter()
        done: list[tuple[DecodingRow, Completion]] = []
        for (row, group), token, logprob in zip(rows, tokens, logprobs, strict=True):
            completion: Completion | None
            if logprob != logprob:
                message = f"the model gave no finite logits at reply token {len(row.reply_ids)}"
                completion = model_failure("not-finite", message)
                group.zero_kv(row)
            else:
                completion = row.append_token(token, logprob, self._local)
                if completion is not None and row.request.thread:
                    cached = (row.input_ids + row.reply_ids)[: row.cached_tokens]
                    self._prefix_cache.store(row.request.thread, cached, group.kv_of(row))
            if completion is not None:
                done.append((row, completion))
                group.leave(row)
        done.extend(
            (row, row.finish_encode(state, self._local))
            for row, state in zip(self._encode_rows, states, strict=True)
        )
        self._encode_rows = []
        self._meter.add_pass(
            started, computed, decoded_tokens=len(rows), prefill_tokens=prefill_tokens
        )
        self._meter.add_time("sample", computed, sampled)
        self._meter.add_time("finish", sampled, time.perf_counter())
        return done

    def remove_all(self) -> list[DecodingRow]:
        """Takes all rows out, as they are."""
        rows = self.rows
        self._groups.clear()
        self._encode_rows = []
        return rows

    def _cached_prefix(self, row: DecodingRow) -> Tensor | None:
        """The cache of a prompt's first tokens, (layers, 2, kv heads, tokens, head size): its
        thread's, or another's longest.
        """
        if not row.request.thread:
            return None
        own_thread = self._prefix_cache.get(row.request.thread)
        thread = own_thread or self._prefix_cache.longest_match(row.input_ids)
        longest_kv = (
            None if thread is None else thread.kv[:, :, :, : thread.shared_tokens(row.input_ids)]
        )
        if own_thread is None:
            for group in self._groups.values():
                for other in group.rows:
                    shared_count = min(
                        common_prefix_length(other.input_ids, row.input_ids),
                        other.cached_tokens,
                        len(row.input_ids) - 1,
                    )
                    if shared_count >= MIN_SHARED_TOKENS and (
                        longest_kv is None or shared_count > longest_kv.shape[3]
                    ):
                        longest_kv = group.kv_of(other)[:, :, :, :shared_count]
        return longest_kv

    def _forward(self, rows: Sequence[DecodingRow]) -> tuple[Tensor, NDArray[np.float32], int]:
        """Logits (len(rows), vocabulary), the states (n, d_model) that are asked for, and how many
        tokens of prompts were read.
        """
        device = self._local.device
        # The last token of a new prompt goes with those of the other rows: it is the one whose
        # logits are asked for.
        ids = [row.reply_ids[-1] if row.reply_ids else row.input_ids[-1] for row in rows]
        spans, decode_rows = [], []
        for group in self._groups.values():
            new, prefill_ids = group.take_prefill()
            spans.extend(new)
            ids.extend(prefill_ids)
            positions = torch.tensor([row.cached_tokens for row in group.rows], device=device)
            decode_rows.append(DecodeRows(group.kv_block.kv[:, :, : len(positions)], positions))
        logits_to_keep, threads = list(range(len(rows))), []
        for row in self._encode_rows:
            thread = self._prefix_cache.open_thread(
                row.request.thread, row.input_ids, len(row.input_ids)
            )
            thread.ids = thread.ids[: len(row.input_ids) - 1]
            spans.append(
                PrefillSpan(thread.kv, len(thread.ids), len(row.input_ids) - len(thread.ids))
            )
            ids.extend(row.input_ids[len(thread.ids) :])
            logits_to_keep.append(len(ids) - 1)
            threads.append(thread)
        prefix_embeddings = (
            {name: vector for row in rows for name, vector in row.prefix_embeddings.items()}
            if min(ids) < 0
            else None
        )
        with self._local.capture_hidden_states() if threads else nullcontext() as hidden_states:
            logits = self._local.forward(
                ids, PackedPass(decode_rows, spans, device), logits_to_keep, prefix_embeddings
            )
        for row in rows:
            row.cached_tokens += 1
        states = (
            hidden_states[0][len(rows) :].float().cpu().numpy()
            if hidden_states
            else np.empty((0, 0), np.float32)
        )
        for row, thread, state in zip(self._encode_rows, threads, states, strict=True):
            if np.isfinite(state).all():
                thread.ids = list(row.input_ids)
        return logits[: len(rows)], states, len(ids) - len(rows)

    def _sample(self, rows: Sequence[DecodingRow], logits: Tensor) -> tuple[list[int], list[float]]:
        """A token for each row, and its log-probability."""
        if not rows:
            return [], []
        settings = [row.request.sampling for row in rows if isinstance(row.request, Generate)]
        uniforms = torch.tensor(
            [row.uniforms[len(row.reply_ids)] for row in rows],
            dtype=torch.float64,
            device=logits.device,
        )
        seen_ids = None
        if any(s.repetition_penalty != 1 for s in settings):
            seen_ids = [torch.tensor(row.penalised_ids, device=logits.device) for row in rows]
        with torch.inference_mode():
            tokens, logprobs = sample_tokens(logits, settings, uniforms, seen_ids)
        return tokens.tolist(), logprobs.tolist()
