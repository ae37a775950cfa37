"""Stored unsteered replies with the prompts they answered, rebuilt from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from agents.prompt_rebuilding import AnsweredPrompt, answered_prompts
from agents.prompting import stop_strings, template_version
from simworld.core.episode import Observation
from simworld.core.requests import Prompt, Sampling
from simworld.core.seeding import derive_seed
from store import Store, StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """A reply to learn from: what the model read, and what it then wrote."""

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
        for answered in answered_prompts(
            stored.episode, seats, model_id,
            scenario_of=scenario_of, spec_of=spec_of, steered=False,
        ):  # fmt: skip
            spec = spec_of(cast[answered.observation.seat])
            yield _to_stored_reply(stored, answered, Sampling(**spec["sampling"]))


def sample_by_family(replies: Iterable[StoredReply], count: int, *, seed: int) -> list[StoredReply]:
    """Gives at most `count` replies, by whole seats of episodes (their prompts share most
    tokens), evenly over the families.

    Which seats they are hangs on their names and the seed alone.
    """
    by_family: dict[str, dict[tuple[str, str], list[StoredReply]]] = {}
    for reply in replies:
        family_seats = by_family.setdefault(reply.family, {})
        family_seats.setdefault((reply.episode, reply.observation.seat), []).append(reply)
    ranked = [
        (rank, derive_seed("take", seed, *seat_key), seat_replies)
        for family_seats in by_family.values()
        for rank, (seat_key, seat_replies) in enumerate(
            sorted(family_seats.items(), key=lambda item: derive_seed("take", seed, *item[0]))
        )
    ]
    chosen: list[StoredReply] = []
    for _, _, seat_replies in sorted(ranked, key=lambda row: row[:2]):
        chosen += seat_replies[: count - len(chosen)]
    return chosen


def _to_stored_reply(
    stored: StoredEpisode, answered: AnsweredPrompt, sampling: Sampling
) -> StoredReply:
    reply, template = answered.reply, answered.template
    stop = "" if template.style == "chat" else stop_strings(template, answered.observation)[0]
    return StoredReply(
        prompt=answered.prompt,
        reply=reply.raw,
        stop=stop if reply.finish == "stop" else None,
        family=stored.summary.family,
        episode=stored.id,
        observation=answered.observation,
        template_version=template_version(reply.prompt_version),
        sampling=sampling,
        dtype=reply.dtype,
    )
