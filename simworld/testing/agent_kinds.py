"""Whether a kind of agent makes agents that keep the promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from agents.agent_kinds import AgentKind, AgentParts
from simworld.core.episode import Observation
from simworld.core.requests import Completion, ModelInfo, Request
from simworld.testing.agents import NotConforming, check_agent
from simworld.testing.extension_settings import check_settings_model
from simworld.testing.fakes import FakeBackend

S = TypeVar("S", bound=BaseModel)


def check_agent_kind(
    kind: AgentKind[S],
    settings: S | None = None,
    observations: Sequence[Observation] | None = None,
    *,
    asks_model: bool = False,
    answer: Callable[[Request], str | Completion] | None = None,
) -> None:
    """Passes if a kind's settings can be stored, and its agents keep the promises of `check_agent`.

    Args:
        kind: under test.
        settings: of the agent that is made; default: `kind.settings()`.
        observations: what it is shown; default: `example_observations()`.
        asks_model: whether its file names a model.
        answer: how its requests are answered; default: `fake_answer`.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = kind.settings() if settings is None else settings
    check_settings_model(settings)
    info: ModelInfo | None = FakeBackend().info if asks_model else None
    parts = AgentParts(id="a1-test", model="fake:model" if asks_model else "", info=info)
    agent = kind.make(settings, parts)
    if (agent.id, agent.model) != (parts.id, parts.model):
        raise NotConforming(
            f"its id and model must be those of its parts, {parts.id!r} and {parts.model!r}; they"
            f" are {agent.id!r} and {agent.model!r}"
        )
    check_agent(agent, observations, answer=answer)
