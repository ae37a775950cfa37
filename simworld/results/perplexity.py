"""Perplexity of stored replies under the unsteered model: what each seat's model read without a
prefix, and then the reply.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from agents.prompt_rebuilding import answered_prompts
from simworld.core.errors import Failure
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Request, Score, Scored
from simworld.driver import drive_one
from store import Store, StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class Perplexity:
    """How surprising replies are to a model."""

    # exp of the mean negative log-probability per token; None where nothing could be scored
    value: float | None
    replies: int  # scored
    tokens: int
    failed: int  # replies that the model could not score
    failure: Failure | None = None  # the last one


def perplexity(requests: Sequence[Score], backend: Backend) -> Perplexity:
    """The perplexity of the first continuation of each request, over all tokens."""
    total, tokens, scored, failed, failure = 0.0, 0, 0, 0, None
    for ended in drive_one(((None, _ask(request)) for request in requests), backend):
        answer = ended.outcome
        if isinstance(answer, Scored) and math.isfinite(answer.logprobs[0]):
            total, tokens, scored = (
                total + answer.logprobs[0],
                tokens + answer.lengths[0],
                scored + 1,
            )
        else:
            unusable = Failure(
                boundary="model", kind="not-finite", message="the log-probability is not finite"
            )
            failed, failure = failed + 1, answer if isinstance(answer, Failure) else unusable
    value = math.exp(-total / tokens) if tokens else None
    return Perplexity(value=value, replies=scored, tokens=tokens, failed=failed, failure=failure)


def _ask(request: Score) -> Generator[Request, Completion, Completion]:
    return (yield request)


def replies(
    store: Store, episodes: Sequence[tuple[StoredEpisode, str]], model_id: str
) -> Iterator[Score]:
    """What a model would say to each reply it wrote in a seat, steered or not: the prompt of that
    turn, without a prefix.

    Left out are replies whose prompt was filled by rules that were mended since, for it is not the
    text that they were sent.
    """
    scenario_of, spec_of = cache(store.scenario), cache(lambda id_: store.agent(id_).spec)
    for stored, seat in episodes:
        for sent in answered_prompts(
            stored.episode, (seat,), model_id, scenario_of=scenario_of, spec_of=spec_of
        ):
            yield Score(prompt=sent.prompt, continuations=(sent.reply.raw,))
