"""Perplexity of stored replies under the unsteered model: what each seat's model read without a
prefix, and then the reply.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cache

from agents.prompt_rebuilding import answered_prompts
from agents.prompting import build_prompt
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Request, Score, Scored
from simworld.driver import drive_on_backend
from store import Store, StoredEpisode


def perplexity(requests: Iterable[Score], backend: Backend) -> float | None:
    """How surprising replies are to a model: exp of the mean negative log-probability per token of
    each request's first continuation; None where nothing could be scored.
    """
    total, tokens = 0.0, 0
    for ended in drive_on_backend(((None, _ask_once(request)) for request in requests), backend):
        answer = ended.outcome
        if isinstance(answer, Scored) and math.isfinite(answer.logprobs[0]):
            total, tokens = total + answer.logprobs[0], tokens + answer.lengths[0]
    return math.exp(-total / tokens) if tokens else None


def _ask_once(request: Score) -> Generator[Request, Completion, Completion]:
    return (yield request)


def reply_requests(
    store: Store, episodes: Sequence[tuple[StoredEpisode, str]], model_id: str
) -> Iterator[Score]:
    """What a model would say to each reply it wrote in a seat, steered or not: the prompt of that
    turn, without a prefix, and without an instruction that was added to its template.

    Left out are replies whose prompt was filled by rules that were mended since, for it is not the
    text that they were sent.
    """
    scenario_of, spec_of = cache(store.scenario), cache(lambda id_: store.agent(id_).spec)
    for stored, seat in episodes:
        for sent in answered_prompts(
            stored.episode, (seat,), model_id, scenario_of=scenario_of, spec_of=spec_of
        ):
            prompt = sent.prompt
            if sent.template.addition:
                plain = sent.template.model_copy(update={"addition": ""})
                prompt = build_prompt(
                    plain, sent.observation, drop_events=sent.reply.dropped_events
                )
            yield Score(prompt=prompt, continuations=(sent.reply.raw,))
