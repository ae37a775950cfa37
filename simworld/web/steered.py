"""Steering as it is drawn: a strip for each action."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from simworld.analysis.steering import Steered, Step
from simworld.analysis.steering import steering as ask
from simworld.web.figures.strips import strip
from store import Store, StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One seat's actions."""

    steered: Steered
    steps: tuple[tuple[Step, Markup], ...]


def steering(store: Store, stored: StoredEpisode) -> list[Drawn]:
    """How an episode was steered, seat by seat."""
    return [
        Drawn(steered=found, steps=tuple((step, strip(step.action, _label(step))) for step in found.steps))
        for found in ask(store, stored)
    ]


def thin(step: Step) -> Markup:
    """The same strip, low, for the transcript."""
    return strip(step.action, _label(step), height=6.0)


def _label(step: Step) -> str:
    return f"action of turn {step.turn + 1}: {len(step.action)} coordinates"
