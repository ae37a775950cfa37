"""What a model read before it wrote a stored reply: the prompt of that turn, made again from the
episode, its scenario and its agent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents.prompting import PromptTemplate, build_prompt, is_outdated
from simworld.core.episode import Episode, Generation, Observation
from simworld.core.requests import ChatPrompt
from simworld.core.scenario import Scenario
from simworld.core.visibility import observe


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPrompt:
    """A reply that a model wrote, and what it had read."""

    reply: Generation
    observation: Observation  # what the seat knew
    template: PromptTemplate
    prompt: ChatPrompt  # without the prefix of a steered reply


def answered_prompts(
    episode: Episode,
    seats: Collection[str],
    model_id: str,
    *,
    scenario_of: Callable[[str], Scenario],
    spec_of: Callable[[str], Mapping[str, Any]],
    steered: bool = True,
) -> Iterator[AnsweredPrompt]:
    """The replies of some seats that this model wrote, each with the very text that was sent.

    Acts of people, scripts and other models are left out, and empty replies; and those whose prompt
    was filled by rules that were mended since, for it would be another text.

    Args:
        episode: as it was stored.
        seats: whose replies.
        model_id: of the language model.
        scenario_of: the scenario of an id.
        spec_of: the resolved spec of an agent's id, with its prompt template.
        steered: also those that were written behind a prefix.
    """
    for number, turn in enumerate(episode.turns):
        for act in turn.acts:
            generation = act.generation
            if generation is None or generation.model_id != model_id or not generation.raw.strip():
                continue
            behind_prefix = act.plan is not None and act.plan.action is not None
            if act.seat not in seats or (behind_prefix and not steered):
                continue
            scenario = scenario_of(episode.scenario_id)
            seen = observe(scenario, act.seat, episode.turns[:number], turn.index, episode.seed)
            template = PromptTemplate.model_validate(spec_of(episode.cast[act.seat])["prompt"])
            if not is_outdated(generation.prompt_version, template, seen):
                yield AnsweredPrompt(
                    reply=generation,
                    observation=seen,
                    template=template,
                    prompt=build_prompt(template, seen, drop_events=generation.dropped_events),
                )
