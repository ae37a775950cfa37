"""Stored unsteered replies with the prompts they answered, rebuilt from the store; and which
families are held out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from agents.prompt_rebuilding import AnsweredPrompt, answered_prompts
from agents.prompting import stop_strings, template_version
from simworld.core.counts import counted
from simworld.core.episode import Observation
from simworld.core.errors import InputError
from simworld.core.requests import Prompt, Sampling
from simworld.core.seeding import derive_seed
from store import Store, StoredEpisode

DataSplit = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """A reply to teach: what the model read, and what it then wrote."""

    prompt: Prompt
    reply: str  # as the model wrote it
    # what followed it: a stop string, or "" for the model's own end token; None: cut at its length
    stop: str | None
    family: str
    episode: str
    observation: Observation  # whose turn it was, and what that seat knew
    template_version: str
    sampling: Sampling  # how it was drawn
    dtype: str  # in which the model wrote it


def stored_replies(
    store: Store, *, model_id: str, run: str | None = None, agent: str | None = None
) -> Iterator[StoredReply]:
    """The replies that a language model wrote without steering, each with the prompt of its turn.

    An agent's prompt template is read from its stored spec, and what it knew is observed again in
    the stored scenario, so the prompt is the very text that was sent. Acts of people, scripts,
    other models, and steered ones are left out, and those whose prompt was filled by rules that
    were mended since.

    Args:
        store: where the episodes are.
        model_id: of the language model.
        run: only of this run.
        agent: only of episodes in which this agent (name or id) took part, and only its own
            replies.
    """
    scenario_of, agent_of = cache(store.scenario), cache(store.agent)

    def spec_of(id_: str) -> Mapping[str, Any]:
        return agent_of(id_).spec

    for stored in store.episodes(run=run, agent=agent):
        cast = stored.episode.cast
        seats = [
            seat
            for seat, id_ in cast.items()
            if agent is None or agent in (id_, agent_of(id_).name)
        ]
        for sent in answered_prompts(
            stored.episode, seats, model_id,
            scenario_of=scenario_of, spec_of=spec_of, steered=False,
        ):  # fmt: skip
            spec = spec_of(cast[sent.observation.seat])
            yield _sample(stored, sent, Sampling(**spec["sampling"]))


def part_of(
    families: Iterable[str], *, seed: int, dev: float = 0.15, test: float = 0.25
) -> Mapping[str, DataSplit]:
    """Family → train, dev or test, by a hash of its name and the seed, so that a family stays where
    it is as data grow.

    Where a part came out empty, the family nearest to it moves over. Raises InputError for fewer
    than three families.
    """
    place = {
        family: derive_seed("held out", seed, family) / 2**64 for family in sorted(set(families))
    }
    if len(place) < 3:
        named = ", ".join(sorted(place)) or "none"
        raise InputError(
            f"found {counted(len(place), 'family', 'families')} with replies ({named}); "
            "training, choosing and testing need one each: "
            "collect replies on at least three scenarios"
        )
    order = sorted(place, key=lambda family: place[family])
    tests = max(1, sum(place[family] < test for family in order))
    devs = max(1, sum(test <= place[family] < test + dev for family in order))
    tests = min(tests, len(order) - 2)
    devs = min(devs, len(order) - 1 - tests)
    return {
        f: "test" if i < tests else "dev" if i < tests + devs else "train"
        for i, f in enumerate(order)
    }


def take(samples: Iterable[StoredReply], count: int, *, seed: int) -> list[StoredReply]:
    """At most `count` samples, by whole seats of episodes (their prompts share most tokens), evenly
    over the families.

    Which seats they are hangs on their names and the seed alone.
    """
    seats: dict[str, dict[tuple[str, str], list[StoredReply]]] = {}
    for sample in samples:
        of_family = seats.setdefault(sample.family, {})
        of_family.setdefault((sample.episode, sample.observation.seat), []).append(sample)
    ranked = [
        (rank, derive_seed("take", seed, *key), found)
        for of_family in seats.values()
        for rank, (key, found) in enumerate(
            sorted(of_family.items(), key=lambda item: derive_seed("take", seed, *item[0]))
        )
    ]
    taken: list[StoredReply] = []
    for _, _, found in sorted(ranked, key=lambda row: row[:2]):
        taken += found[: count - len(taken)]
    return taken


def _sample(stored: StoredEpisode, sent: AnsweredPrompt, sampling: Sampling) -> StoredReply:
    made, template = sent.reply, sent.template
    stop = "" if template.style == "chat" else stop_strings(template, sent.observation)[0]
    return StoredReply(
        prompt=sent.prompt,
        reply=made.raw,
        stop=stop if made.finish == "stop" else None,
        family=stored.summary.family,
        episode=stored.id,
        observation=sent.observation,
        template_version=template_version(made.prompt_version),
        sampling=sampling,
        dtype=made.dtype,
    )
