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

_MANY = 2**31  # threads: the budget alone bounds them
_CLOSE = 1e-3  # largest difference of logits, as a share of the largest


@dataclass(slots=True, eq=False)
class _ReadTokens:
    """Tokens that one seat has read; only ever grows."""

    name: str  # of the thread that keeps their keys and values
    last: Tensor  # (width,), the model's output at the last of the tokens
    ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedReply:
    """A sample as tokens, with what the unsteered model makes of it."""

    sample: StoredReply
    thread: _ReadTokens
    at: int  # tokens before the prefix
    ids: tuple[int, ...]  # those after the prefix: header and reply
    reply: int  # the last so many of them are the reply
    begun: tuple[int, ...]  # tokens before the reply that a repetition penalty counts with it
    state: Tensor  # (width + 1,) float32: the dialogue's state, and the share of turns left
    # (reply, width): the unsteered model's outputs from which the reply's tokens follow
    hidden: Tensor

    @property
    def targets(self) -> Tensor:
        """The reply's tokens, (reply,) int64."""
        return torch.tensor(self.ids[-self.reply :])


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
        self._embed = model.get_input_embeddings()
        self._threads: dict[tuple[str, str], _ReadTokens] = {}  # by episode and seat
        self._names = itertools.count()
        self._cache = PrefixCache(
            local.cache_shape, budget_bytes=budget, max_threads=_MANY, headroom=0
        )
        end = getattr(model.generation_config, "eos_token_id", None)
        self._end = end if isinstance(end, int) else min(end or local.end_token_ids, default=None)
        self._check_head()

    @property
    def width(self) -> int:
        """d_model."""
        return self._local.width

    @property
    def embeddings(self) -> Tensor:
        """(V, width) float32, one row for each token, as the first layer gets them."""
        table: Tensor = self._embed.weight.detach().float().cpu()
        return table * (self._local.input_scale or 1.0)

    def encode(
        self,
        samples: Sequence[StoredReply],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[EncodedReply]:
        """Samples as encoded replies, in their order. One that does not fit the model's context is
        left out.
        """
        # The turns of a seat one after the other: each reads only what is new.
        order = sorted(
            range(len(samples)),
            key=lambda i: (
                samples[i].episode,
                samples[i].observation.seat,
                samples[i].observation.turn,
            ),
        )
        made: dict[int, EncodedReply] = {}
        for done, i in enumerate(order):
            encoded_reply = self._lesson(samples[i])
            if encoded_reply is not None:
                made[i] = encoded_reply
            on_progress(done + 1, len(order))
        return [made[i] for i in sorted(made)]

    def read(self, encoded_reply: EncodedReply, prefixes: Tensor) -> Tensor:
        """The outputs from which the reply's tokens follow, behind each prefix.

        Args:
            encoded_reply: of this frozen LM.
            prefixes: (K, L, width) float32, as the first layer gets them.

        Returns:
            (K, reply, width), with gradients to the prefixes.
        """
        return self._run(encoded_reply.thread, encoded_reply.at, encoded_reply.ids, prefixes)[
            :, -encoded_reply.reply - 1 : -1
        ]

    def log_probs(self, hidden: Tensor) -> Tensor:
        """(…, vocabulary) float32 log-probabilities at temperature 1 from outputs (…, width)."""
        return self.logits(hidden).float().log_softmax(-1)

    def _lesson(self, sample: StoredReply) -> EncodedReply | None:
        renderer = self._local.prompt_tokenizer
        (whole,) = renderer.tokenise_continuations(
            sample.prompt, [sample.reply + (sample.stop or "")]
        )
        ids, start = list(whole.ids), whole.start
        if sample.stop == "" and self._end is not None:
            ids.append(self._end)
        if self._local.context_length is not None and len(ids) > self._local.context_length:
            return None
        tokens = renderer.tokenise(sample.prompt, self._position)
        at = tokens.prefix_index
        header = renderer.tokenise(sample.prompt, "end").prefix_index
        with torch.no_grad():
            thread = self._thread((sample.episode, sample.observation.seat), ids[:at])
            out = self._run(thread, at, ids[at:], None)[0]
        state = out[header - 1 - at] if header > at else thread.last
        return EncodedReply(
            sample=sample,
            thread=thread,
            at=at,
            ids=tuple(ids[at:]),
            reply=len(ids) - start,
            begun=tuple(ids[tokens.reply_start : start]),
            state=torch.from_numpy(
                append_turns_left(state.float().cpu().numpy(), sample.observation)
            ),
            hidden=out[start - 1 - at : -1].clone(),
        )

    def _thread(self, key: tuple[str, str], ids: list[int]) -> _ReadTokens:
        """What the seat has read, grown by what is new of these tokens; a new thread where they do
        not continue it.
        """
        thread = self._threads.get(key)
        if thread is None or common_prefix_length(thread.ids, ids) < len(thread.ids):
            last = torch.zeros(self.width)
            thread = self._threads[key] = _ReadTokens(str(next(self._names)), last)
        if len(thread.ids) < len(ids):
            thread.ids = list(ids)
            self._cached(thread)
        return thread

    @torch.no_grad()
    def _cached(self, thread: _ReadTokens) -> Tensor:
        """The thread's keys and values, (layers, 2, kv heads, ≥ its tokens, head size); those that
        are missing are read.
        """
        ids, kept = thread.ids, self._cache.open_thread(thread.name, thread.ids, len(thread.ids))
        known = len(kept.ids)
        if known < len(ids):
            cache = _model_cache(kept.kv, known, rows=1)
            out = self._model.base_model(
                input_ids=self._tensor(ids[known:])[None], past_key_values=cache, use_cache=True
            )
            for layer, read in zip(kept.kv, cache.layers, strict=True):
                layer[0, :, known : len(ids)] = read.keys[0, :, known:]
                layer[1, :, known : len(ids)] = read.values[0, :, known:]
            thread.last, kept.ids = out.last_hidden_state[0, -1], list(ids)
        return kept.kv

    def _run(
        self, thread: _ReadTokens, at: int, ids: Sequence[int], prefixes: Tensor | None
    ) -> Tensor:
        """The model's outputs at prefix and tokens, (K, L + tokens, width), after the first `at`
        tokens of a thread.
        """
        tokens = self._embed(self._tensor(ids))[None]
        if prefixes is not None:
            # the model multiplies what it is given
            own = prefixes.to(tokens) / (self._local.input_scale or 1.0)
            tokens = torch.cat([own, tokens.expand(len(own), -1, -1)], dim=1)
        out = self._model.base_model(
            inputs_embeds=tokens,
            past_key_values=_model_cache(self._cached(thread), at, len(tokens)),
            use_cache=True,
        )
        found: Tensor = out.last_hidden_state
        return found

    def logits(self, hidden: Tensor) -> Tensor:
        """(…, vocabulary) as the model makes them, from outputs (…, width)."""
        logits: Tensor = self._model.get_output_embeddings()(hidden)
        cap = getattr(self._model.config.get_text_config(), "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def _check_head(self) -> None:
        ids = torch.arange(8, device=self._local.device)[None]
        with torch.no_grad():
            expected = self._model(input_ids=ids, use_cache=False).logits
            found = self.logits(
                self._model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            )
        if float((found - expected).abs().max()) > _CLOSE * float(expected.abs().max()):
            name = type(self._model).__name__
            raise ModelError(
                f"{name} makes its logits in a way of its own; planners cannot be cloned for it"
            )

    def _tensor(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor(ids, device=self._local.device)


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


def _model_cache(kv: Tensor, tokens: int, rows: int) -> Any:
    """The first tokens of a thread as a cache of transformers', for so many rows."""
    from transformers import DynamicCache

    known = kv[:, :, None, :, :tokens].expand(-1, -1, rows, -1, -1, -1)
    return DynamicCache([(layer[0], layer[1]) for layer in known] if tokens else None)
