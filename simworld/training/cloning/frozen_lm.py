"""A frozen language model that reads stored replies behind a prefix, with gradients back to the
prefix and no further.

Everything before the place of the prefix is read without gradients and kept as keys and values: one
thread of a `PrefixCache` for each seat of an episode, for its prompts grow out of one another.
Behind the prefix only the header and the reply are read (at `end`), which is what makes training on
a processor possible. Threads beyond the budget are dropped, those used longest ago first, and read
again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.local.local_model import LocalModel
from agents.lm.local.memory import default_cache_budget
from agents.lm.local.prefix_cache import PrefixCache
from agents.steering.state_encoders import append_turns_left
from simworld.core.errors import ModelError
from simworld.core.requests import Position
from simworld.training.cloning.stored_replies import StoredReply

_MAX_THREADS = 2**31  # threads: the budget alone bounds them
_LOGIT_TOLERANCE = 1e-3  # largest difference of logits, as a share of the largest


@dataclass(slots=True, eq=False)
class _TokenThread:
    """Tokens that one seat has read; only ever grows."""

    cache_key: str  # of the thread that keeps their keys and values
    last_hidden: Tensor  # (width,), the model's output at the last of the tokens
    token_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedReply:
    """A stored reply as tokens, with what the unsteered model makes of it."""

    stored_reply: StoredReply
    thread: _TokenThread
    prefix_start: int  # tokens before the prefix
    token_ids: tuple[int, ...]  # those after the prefix: header and reply
    reply_length: int  # the last so many of them are the reply
    penalised_before: tuple[int, ...]  # tokens before it that a repetition penalty counts too
    state: Tensor  # (width + 1,) float32: the dialogue's state, and the share of turns left
    # (reply, width): the unsteered model's outputs from which the reply's tokens follow
    hidden: Tensor

    @property
    def targets(self) -> Tensor:
        """The reply's tokens, (reply,) int64."""
        return torch.tensor(self.token_ids[-self.reply_length :])


class FrozenLM:
    """Reads replies behind prefixes. Made by `open_frozen_lm`; keeps the keys and values of all
    encoded replies it has given.
    """

    def __init__(self, model: Any, local: LocalModel, position: Position, budget: int) -> None:
        if local.input_scale is None:
            raise ModelError(
                f"{type(model).__name__} cannot work from embeddings alone; there is no place for a"
                " prefix"
            )
        self._model, self._local, self._position = model, local, position
        self._embedding_layer = model.get_input_embeddings()
        self._threads: dict[tuple[str, str], _TokenThread] = {}  # by episode and seat
        self._cache_keys = itertools.count()
        self._cache = PrefixCache(
            local.cache_shape, budget_bytes=budget, max_threads=_MAX_THREADS, headroom=0
        )
        eos = getattr(model.generation_config, "eos_token_id", None)
        self._eos_id = (
            eos if isinstance(eos, int) else min(eos or local.end_token_ids, default=None)
        )
        self._check_lm_head()

    @property
    def width(self) -> int:
        """d_model."""
        return self._local.width

    @property
    def token_embeddings(self) -> Tensor:
        """(V, width) float32, one row for each token, as the first layer gets them."""
        table: Tensor = self._embedding_layer.weight.detach().float().cpu()
        return table * (self._local.input_scale or 1.0)

    def encode(
        self,
        stored_replies: Sequence[StoredReply],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[EncodedReply]:
        """Stored replies as tokens, in their order. One that does not fit the model's context is
        left out.
        """
        # The turns of a seat one after the other: each reads only what is new.
        order = sorted(
            range(len(stored_replies)),
            key=lambda i: (
                stored_replies[i].episode,
                stored_replies[i].observation.seat,
                stored_replies[i].observation.turn,
            ),
        )
        encoded: dict[int, EncodedReply] = {}
        for done, i in enumerate(order, start=1):
            reply = self._encode_one(stored_replies[i])
            if reply is not None:
                encoded[i] = reply
            on_progress(done, len(order))
        return [encoded[i] for i in sorted(encoded)]

    def forward_reply(self, reply: EncodedReply, prefixes: Tensor) -> Tensor:
        """The outputs from which the reply's tokens follow, behind each prefix.

        Args:
            reply: of this frozen LM.
            prefixes: (K, L, width) float32, as the first layer gets them.

        Returns:
            (K, reply, width), with gradients to the prefixes.
        """
        hidden = self._forward(reply.thread, reply.prefix_start, reply.token_ids, prefixes)
        return hidden[:, -reply.reply_length - 1 : -1]

    def log_probs(self, hidden: Tensor) -> Tensor:
        """(…, vocabulary) float32 log-probabilities at temperature 1 from outputs (…, width)."""
        return self.logits(hidden).float().log_softmax(-1)

    def _encode_one(self, stored_reply: StoredReply) -> EncodedReply | None:
        prompt_tokenizer = self._local.prompt_tokenizer
        text = stored_reply.reply + (stored_reply.stop or "")
        (continuation,) = prompt_tokenizer.tokenise_continuations(stored_reply.prompt, [text])
        token_ids, reply_start = list(continuation.ids), continuation.start
        if stored_reply.stop == "" and self._eos_id is not None:
            token_ids.append(self._eos_id)
        if self._local.context_length is not None and len(token_ids) > self._local.context_length:
            return None
        tokens = prompt_tokenizer.tokenise(stored_reply.prompt, self._position)
        prefix_start = tokens.prefix_index
        header_end = prompt_tokenizer.tokenise(stored_reply.prompt, "end").prefix_index
        with torch.no_grad():
            seat_key = (stored_reply.episode, stored_reply.observation.seat)
            thread = self._open_thread(seat_key, token_ids[:prefix_start])
            hidden = self._forward(thread, prefix_start, token_ids[prefix_start:], None)[0]
        header_length = header_end - prefix_start
        state = hidden[header_length - 1] if header_length > 0 else thread.last_hidden
        return EncodedReply(
            stored_reply=stored_reply,
            thread=thread,
            prefix_start=prefix_start,
            token_ids=tuple(token_ids[prefix_start:]),
            reply_length=len(token_ids) - reply_start,
            penalised_before=tuple(token_ids[tokens.reply_start : reply_start]),
            state=torch.from_numpy(
                append_turns_left(state.float().cpu().numpy(), stored_reply.observation)
            ),
            hidden=hidden[reply_start - 1 - prefix_start : -1].clone(),
        )

    def _open_thread(self, seat_key: tuple[str, str], ids: list[int]) -> _TokenThread:
        """What the seat has read, grown by what is new of these tokens; a new thread where they do
        not continue it.
        """
        thread = self._threads.get(seat_key)
        if thread is None or common_prefix_length(thread.token_ids, ids) < len(thread.token_ids):
            no_hidden = torch.zeros(self.width)
            thread = self._threads[seat_key] = _TokenThread(str(next(self._cache_keys)), no_hidden)
        if len(thread.token_ids) < len(ids):
            thread.token_ids = list(ids)
            self._cached_kv(thread)
        return thread

    @torch.no_grad()
    def _cached_kv(self, thread: _TokenThread) -> Tensor:
        """The thread's keys and values, (layers, 2, kv heads, ≥ its tokens, head size); those that
        are missing are read.
        """
        token_ids = thread.token_ids
        cached_thread = self._cache.open_thread(thread.cache_key, token_ids, len(token_ids))
        cached_length = len(cached_thread.ids)
        if cached_length < len(token_ids):
            cache = _transformers_cache(cached_thread.kv, cached_length, batch_size=1)
            missing = self._id_tensor(token_ids[cached_length:])[None]
            output = self._model.base_model(
                input_ids=missing, past_key_values=cache, use_cache=True
            )
            for layer, layer_kv in zip(cached_thread.kv, cache.layers, strict=True):
                layer[0, :, cached_length : len(token_ids)] = layer_kv.keys[0, :, cached_length:]
                layer[1, :, cached_length : len(token_ids)] = layer_kv.values[0, :, cached_length:]
            thread.last_hidden, cached_thread.ids = output.last_hidden_state[0, -1], list(token_ids)
        return cached_thread.kv

    def _forward(
        self, thread: _TokenThread, prefix_start: int, ids: Sequence[int], prefixes: Tensor | None
    ) -> Tensor:
        """The model's outputs at prefix and tokens, (K, L + tokens, width), after the first
        `prefix_start` tokens of a thread.
        """
        embeddings = self._embedding_layer(self._id_tensor(ids))[None]
        if prefixes is not None:
            # the model multiplies what it is given
            scaled = prefixes.to(embeddings) / (self._local.input_scale or 1.0)
            embeddings = torch.cat([scaled, embeddings.expand(len(scaled), -1, -1)], dim=1)
        kv = self._cached_kv(thread)
        output = self._model.base_model(
            inputs_embeds=embeddings,
            past_key_values=_transformers_cache(kv, prefix_start, len(embeddings)),
            use_cache=True,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """(…, vocabulary) as the model makes them, from outputs (…, width)."""
        logits: Tensor = self._model.get_output_embeddings()(hidden)
        cap = getattr(self._model.config.get_text_config(), "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def _check_lm_head(self) -> None:
        token_ids = torch.arange(8, device=self._local.device)[None]
        with torch.no_grad():
            expected = self._model(input_ids=token_ids, use_cache=False).logits
            logits = self.logits(
                self._model.base_model(input_ids=token_ids, use_cache=False).last_hidden_state
            )
        if float((logits - expected).abs().max()) > _LOGIT_TOLERANCE * float(expected.abs().max()):
            name = type(self._model).__name__
            raise ModelError(
                f"{name} makes its logits in a way of its own; planners cannot be cloned for it"
            )

    def _id_tensor(self, token_ids: Sequence[int]) -> Tensor:
        return torch.tensor(token_ids, device=self._local.device)


@contextmanager
def open_frozen_lm(
    local: LocalModel, position: Position, *, cache_bytes: int | None = None
) -> Iterator[FrozenLM]:
    """A frozen LM around a local model, whose weights are frozen from now on; the model reads for
    others again after the block.

    `cache_bytes` bounds the kept keys and values, but for those in use; default: a quarter of the
    free memory. Raises ModelError for a model that cannot work from embeddings.
    """
    with local.with_original_attention() as model:
        model.requires_grad_(False)
        yield FrozenLM(
            model,
            local,
            position,
            default_cache_budget(local.device) if cache_bytes is None else cache_bytes,
        )


def _transformers_cache(kv: Tensor, length: int, batch_size: int) -> Any:
    """The first tokens of a thread as a cache of transformers', for so many rows."""
    from transformers import DynamicCache

    layers = kv[:, :, None, :, :length].expand(-1, -1, batch_size, -1, -1, -1)
    return DynamicCache([(layer[0], layer[1]) for layer in layers] if length else None)
