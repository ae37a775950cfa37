"""Whether a measure keeps the promises of `simworld.results.seat_measures`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from simworld.results.seat_measures import MeasureKind, PlayedSeat
from simworld.testing.agents import NotConforming
from simworld.testing.extension_settings import check_settings_model
from simworld.testing.fakes import example_episode, example_scenario

S = TypeVar("S", bound=BaseModel)


def check_measure(kind: MeasureKind[S], settings: S | None = None) -> None:
    """Passes if a measure gives of every seat a finite number, the same again, or None where there
    is nothing to measure, also of an episode in which nothing was done.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = kind.settings() if settings is None else settings
    check_settings_model(settings)
    scenario = example_scenario()
    episode = example_episode(scenario)
    for shown in (episode, replace(episode, turns=())):
        for seat in scenario.seats:
            played = PlayedSeat(scenario=scenario, episode=shown, seat=seat.name)
            value = kind.measure(settings, played)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise NotConforming(f"expected a finite number or None, found {value!r}")
            if kind.measure(settings, played) != value:
                raise NotConforming("the same episode gave another number")
