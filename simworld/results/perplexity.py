"""Perplexity of stored replies under the unsteered model: what each seat's model read without a
prefix, and then the reply.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from agents.prompting import PromptTemplate, build_prompt, is_outdated
from simworld.core.errors import Failure
from simworld.core.protocols import Backend
from simworld.core.requests import Score, Scored
from simworld.core.visibility import observe
from store import Store, StoredEpisode

OPEN = 32  # requests under way at once


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
    waiting = iter(requests)
    open_: set[int] = set()
    total, tokens, replies, failed, failure = 0.0, 0, 0, 0, None
    while True:
        while len(open_) < OPEN and (request := next(waiting, None)) is not None:
            open_.add(backend.submit(request))
        if not open_:
            value = math.exp(-total / tokens) if tokens else None
            return Perplexity(
                value=value, replies=replies, tokens=tokens, failed=failed, failure=failure
            )
        done = [finished for finished in backend.poll(None) if finished.ticket in open_]
        if not done:
            failure = Failure(
                boundary="model", kind="lost", message=f"{backend.info.spec} never answered"
            )
            failed += len(open_)
            open_.clear()
        for finished in done:
            open_.discard(finished.ticket)
            answer = finished.completion
            if isinstance(answer, Scored) and math.isfinite(answer.logprobs[0]):
                total, tokens, replies = (
                    total + answer.logprobs[0],
                    tokens + answer.lengths[0],
                    replies + 1,
                )
            else:
                failed += 1
                unusable = Failure(
                    boundary="model", kind="not-finite", message="the log-probability is not finite"
                )
                failure = answer if isinstance(answer, Failure) else unusable


def replies(
    store: Store, episodes: Sequence[tuple[StoredEpisode, str]], model_id: str
) -> Iterator[Score]:
    """What a model would say to each reply it wrote in a seat, steered or not: the prompt of that
    turn, without a prefix.

    Left out are replies whose prompt was filled by rules that were mended since, for it is not the
    text that they were sent.
    """
    scenario_of, agent_of = cache(store.scenario), cache(store.agent)
    for stored, seat in episodes:
        episode = stored.episode
        for number, turn in enumerate(episode.turns):
            for act in turn.acts:
                made = act.generation
                if (
                    act.seat != seat
                    or made is None
                    or made.model_id != model_id
                    or not made.raw.strip()
                ):
                    continue
                scenario = scenario_of(episode.scenario_id)
                seen = observe(scenario, seat, episode.turns[:number], turn.index, episode.seed)
                template = PromptTemplate.model_validate(
                    agent_of(episode.cast[seat]).spec["prompt"]
                )
                if is_outdated(made.prompt_version, template, seen):
                    continue
                prompt = build_prompt(template, seen, drop_events=made.dropped_events)
                yield Score(prompt=prompt, continuations=(made.raw,))
