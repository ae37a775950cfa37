"""Steering as it is drawn: a strip for each action."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from simworld.analysis.steered_seats import SteeredAct, SteeredSeat, read_steered_seats
from simworld.core.counts import counted
from simworld.web.figures.strips import draw_strip
from store import Store, StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringStrips:
    """One seat's actions."""

    steered: SteeredSeat
    steps: tuple[tuple[SteeredAct, Markup], ...]


def steering_strips(store: Store, stored: StoredEpisode) -> list[SteeringStrips]:
    """How an episode was steered, seat by seat."""
    return [
        SteeringStrips(
            steered=steered,
            steps=tuple((step, draw_strip(step.action, _label(step))) for step in steered.steps),
        )
        for steered in read_steered_seats(store, stored)
    ]


def thin_strip(step: SteeredAct) -> Markup:
    """The same strip, low, for the transcript."""
    return draw_strip(step.action, _label(step), height=6.0)


def _label(step: SteeredAct) -> str:
    return f"action of turn {step.turn + 1}: {counted(len(step.action), 'coordinate')}"
