"""A request on its way through a batch, and how one can tell that its reply is over."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.lm.local.local_model import LocalModel
from agents.lm.local.soft_prompt import insert_prefix
from agents.lm.reasoning import SplitReply, split_thought, thinking_limit_failure
from simworld.core.errors import Failure, model_failure
from simworld.core.requests import Encode, Encoded, Generate, Generated
from simworld.core.seeding import uniforms

# at every so many tokens a reply is read in full, should the pieces of its tokens hide a stop
# string
_FULL_CHECK_INTERVAL = 16


@dataclass(slots=True, kw_only=True, eq=False)
class DecodingRow:
    """A request on its way: its prompt's tokens, and the reply so far."""

    ticket: int
    request: Generate | Encode
    prompt_ids: list[int]  # its tokens; of an Encode those up to the state
    input_ids: list[int]  # what the model reads: the prompt and the prefix in it (`soft_prompt`)
    # where in `prompt_ids` the reply begins that is continued; 0: nothing is begun
    reply_start: int
    submitted: float  # perf_counter, seconds
    uniforms: NDArray[np.float64]  # (max_new_tokens,) uniforms, one per token; (0,) of an Encode
    # the prefix, by the numbers that stand for it
    prefix_embeddings: dict[int, NDArray[np.float32]]
    in_thought: bool = False  # the prompt ends inside a thought
    reply_ids: list[int] = field(default_factory=list)
    logprob: float = 0.0
    cached_tokens: int = 0  # tokens of prompt and reply in the cache
    reply_tail: str = ""  # the end of the reply, roughly: the pieces of its tokens without blanks

    @property
    def max_tokens(self) -> int:
        """Tokens of prompt, prefix and reply, at most."""
        return len(self.input_ids) + len(self.uniforms)

    def restart(self) -> None:
        """Forgets the reply, to be decoded again: the same numbers are drawn."""
        self.reply_ids, self.logprob, self.cached_tokens, self.reply_tail = [], 0.0, 0, ""

    @property
    def penalised_ids(self) -> list[int]:
        """The tokens that a repetition penalty is for."""
        return self.prompt_ids[self.reply_start :] + self.reply_ids

    def finish_encode(self, state: NDArray[np.float32], local: LocalModel) -> Encoded | Failure:
        """The result of an Encode."""
        if not np.isfinite(state).all():
            return model_failure("not-finite", "the model gave no finite state")
        latency = time.perf_counter() - self.submitted
        return Encoded(
            state=state, prompt_tokens=len(self.prompt_ids), latency_s=latency, dtype=local.dtype
        )

    def append_token(
        self, token: int, logprob: float, local: LocalModel
    ) -> Generated | Failure | None:
        """Adds a token; the result if the reply ends with it. Stop strings end an answer, and no
        thought.
        """
        self.reply_ids.append(token)
        self.logprob += logprob
        ended = token in local.end_token_ids
        at_limit = len(self.reply_ids) == len(self.uniforms)
        if not ended and not at_limit and not self._may_end_with_stop(token, local):
            return None
        tokens = self.reply_ids[:-1] if ended else self.reply_ids
        decoded = local.prompt_tokenizer.decode_reply(self.prompt_ids, tokens)
        truncated = at_limit and not ended
        reply = split_thought(
            decoded,
            local.prompt_tokenizer.reasoning,
            in_thought=self.in_thought,
            truncated=truncated,
        )
        if truncated and reply.state == "none" and local.prompt_tokenizer.reasoning == "on":
            reply = split_thought(decoded, "on", in_thought=True, truncated=True)
        text = reply.answer
        stop_index = min(
            (index for stop in self._stop_strings if (index := text.find(stop)) >= 0), default=-1
        )
        if not ended and not at_limit and stop_index < 0:
            return None
        thought_tokens = self._thought_tokens(reply, tokens, local)
        if truncated and not text.strip() and reply.state != "none":
            return thinking_limit_failure(len(self.uniforms), thought_tokens)
        return Generated(
            # the end may have cut a character in two
            text=(text[:stop_index] if stop_index >= 0 else text).rstrip("\ufffd"),
            prompt_tokens=len(self.prompt_ids),
            new_tokens=len(self.reply_ids),
            finish="stop" if ended or stop_index >= 0 else "length",
            latency_s=time.perf_counter() - self.submitted,
            logprob=self.logprob,
            dtype=local.dtype,
            reasoning=reply.thought,
            reasoning_tokens=thought_tokens,
        )

    def _thought_tokens(
        self, reply: SplitReply, tokens: Sequence[int], local: LocalModel
    ) -> int | None:
        """How many of the tokens stand before the answer; None where nothing was thought."""
        if reply.state == "none":
            return None
        if reply.state == "open":
            return len(tokens)
        decode_reply = local.prompt_tokenizer.decode_reply
        return bisect_left(
            range(len(tokens)),
            reply.answer_start,
            key=lambda count: len(decode_reply(self.prompt_ids, tokens[:count])),
        )

    @property
    def _stop_strings(self) -> tuple[str, ...]:
        return self.request.stop if isinstance(self.request, Generate) else ()

    def _may_end_with_stop(self, token: int, local: LocalModel) -> bool:
        """Whether a stop string may stand at the end of the reply; decoding a whole reply per token
        would be slow.
        """
        if not self._stop_strings:
            return False
        token_text = _without_spaces(local.prompt_tokenizer.decode_token(token))
        stop_strings = [_without_spaces(stop) for stop in self._stop_strings]
        self.reply_tail = (self.reply_tail + token_text)[
            -(max(map(len, stop_strings)) + len(token_text)) :
        ]
        if len(self.reply_ids) % _FULL_CHECK_INTERVAL == 0 or not all(
            stop.isascii() for stop in stop_strings
        ):
            return True
        return any(stop in self.reply_tail for stop in stop_strings)


def new_row(
    ticket: int,
    request: Generate | Encode,
    prompt_ids: list[int],
    submitted: float,
    *,
    reply_start: int = 0,
    prefix_index: int = 0,
    in_thought: bool = False,
) -> DecodingRow:
    """A row at its start.

    `prompt_ids` of an Encode are those up to the state; a prefix goes before
    `prompt_ids[prefix_index]`.
    """
    prefix = request.prefix if isinstance(request, Generate) else None
    input_ids, prefix_embeddings = insert_prefix(prompt_ids, prefix_index, prefix)
    return DecodingRow(
        ticket=ticket,
        request=request,
        prompt_ids=prompt_ids,
        input_ids=input_ids,
        reply_start=reply_start,
        submitted=submitted,
        uniforms=uniforms(request.seed, request.sampling.max_new_tokens)
        if isinstance(request, Generate)
        else np.empty(0),
        prefix_embeddings=prefix_embeddings,
        in_thought=in_thought,
    )


def _without_spaces(text: str) -> str:
    return text.replace(" ", "")
