"""Perplexity of stored replies under the unsteered model: what each seat's model read without a
prefix, and then the reply.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from agents.prompt_rebuilding import answered_prompts
from agents.prompting import build_prompt
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Request, Score, Scored
from simworld.core.seeding import derive_seed
from simworld.driver import drive_on_backend
from simworld.results.language_quality import evenly_spaced
from simworld.stats.intervals import Estimate, bootstrap_counts, tail_probability
from store import Store, StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """How surprising replies were to a model, by family."""

    # family → negative log-probability in nats, tokens, replies
    sums: Mapping[str, tuple[float, int, int]]

    @property
    def perplexity(self) -> float | None:
        """Exp of the mean negative log-probability per token; None where nothing was scored."""
        tokens = sum(of_family[1] for of_family in self.sums.values())
        total = sum(of_family[0] for of_family in self.sums.values())
        return math.exp(total / tokens) if tokens else None


def read_surprise(requests: Iterable[tuple[str, Score]], backend: Backend) -> Surprise:
    """Reads replies, each with its family: the first continuation of each request. What cannot be
    scored is left out.
    """
    sums: dict[str, tuple[float, int, int]] = {}
    asked = ((family, _ask_once(request)) for family, request in requests)
    for ended in drive_on_backend(asked, backend):
        answer = ended.outcome
        if isinstance(answer, Scored) and math.isfinite(answer.logprobs[0]):
            total, tokens, replies = sums.get(ended.key, (0.0, 0, 0))
            sums[ended.key] = (
                total - answer.logprobs[0],
                tokens + answer.lengths[0],
                replies + 1,
            )
    return Surprise(sums=sums)


def perplexity_ratio(first: Surprise, second: Surprise, *, rounds: int = 2000) -> Estimate | None:
    """The ratio of two perplexities with a 95 % interval by a bootstrap that draws whole families,
    for both at once; None where either has none. `n` counts the replies of the first.
    """
    families = sorted({*first.sums, *second.sums})
    both = np.array(
        [[*first.sums.get(f, (0, 0, 0)), *second.sums.get(f, (0, 0, 0))] for f in families],
        dtype=np.float64,
    ).reshape(-1, 6)
    if first.perplexity is None or second.perplexity is None:
        return None
    low = high = None
    if len(families) > 1:
        sums = bootstrap_counts(len(families), rounds, derive_seed("perplexity")) @ both
        drawn = sums[(sums[:, 1] > 0) & (sums[:, 4] > 0)]
        tail = tail_probability(len(families), 0.95)
        ratios = np.exp(drawn[:, 0] / drawn[:, 1] - drawn[:, 3] / drawn[:, 4])
        low, high = np.quantile(ratios, [tail, 1 - tail]).tolist()
    return Estimate(
        mean=first.perplexity / second.perplexity,
        low=low,
        high=high,
        n=int(both[:, 2].sum()),
        families=len(families),
    )


def _ask_once(request: Score) -> Generator[Request, Completion, Completion]:
    return (yield request)


def seats_to_read(
    seats: Sequence[tuple[StoredEpisode, str]], model_id: str, replies: int
) -> Sequence[tuple[StoredEpisode, str]]:
    """Whole seats at even distances, as few as hold so many replies of a model; all of them where
    they hold fewer.

    Whole seats, since a model reads all replies of a seat in about the time that one of them takes:
    their prompts begin alike.
    """
    counts = {
        (stored.id, seat): sum(
            act.seat == seat
            and act.generation is not None
            and act.generation.model_id == model_id
            and bool(act.generation.raw.strip())
            for act in stored.episode.acts
        )
        for stored, seat in seats
    }
    if sum(counts.values()) <= replies:
        return seats
    for few in range(1, len(seats)):
        chosen = evenly_spaced(seats, few)
        if sum(counts[stored.id, seat] for stored, seat in chosen) >= replies:
            return chosen
    return seats


def reply_requests(
    store: Store, episodes: Sequence[tuple[StoredEpisode, str]], model_id: str
) -> Iterator[tuple[str, Score]]:
    """Each reply that a model wrote in a seat, steered or not, with its family: what it would say
    to it after the prompt of that turn, without a prefix, and without an instruction that was added
    to its template. Replies of a seat share a thread.

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
            family = scenario_of(stored.episode.scenario_id).family
            thread = f"perplexity/{stored.id}/{seat}"
            yield family, Score(prompt=prompt, continuations=(sent.reply.raw,), thread=thread)
