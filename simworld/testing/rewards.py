"""Whether a reward keeps the promises of `simworld.training.data.reward_kinds`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from pydantic import BaseModel

from simworld.core.arrays import Floats
from simworld.testing.agents import NotConforming
from simworld.testing.extension_settings import check_settings_model
from simworld.testing.fakes import example_episode, example_scenario
from simworld.training.data.reward_kinds import RewardKind, TurnMeasure
from simworld.training.data.seat_turns import SeatTurn, seat_turns, words_alone

S = TypeVar("S", bound=BaseModel)


def check_reward(kind: RewardKind[S], settings: S | None = None) -> None:
    """Passes if a reward gives one finite number for each act, the same again, and the same
    whichever other acts are measured with it; of no acts, none.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = kind.settings() if settings is None else settings
    check_settings_model(settings)
    measure = kind.make(settings)
    if measure is None:
        raise NotConforming("`make` gave nothing that measures")
    scenario = example_scenario()
    episode = example_episode(scenario)
    turns = [
        turn
        for seat in scenario.seats
        for turn in seat_turns(scenario, episode, seat.name).values()
    ] + [words_alone("")]
    if kind.words_alone:
        turns = [words_alone(turn.text) for turn in turns]
    values = _measure(measure, turns)
    if not np.array_equal(_measure(measure, turns), values):
        raise NotConforming("the same acts gave other numbers")
    alone = np.concatenate([_measure(measure, [turn]) for turn in turns])
    if not np.allclose(alone, values, rtol=1e-5, atol=1e-6):
        raise NotConforming("an act gave another number when it was measured alone")
    _measure(measure, [])


def _measure(measure: TurnMeasure, turns: list[SeatTurn]) -> Floats:
    values: Floats = np.asarray(measure(turns), dtype=np.float64)
    if values.shape != (len(turns),):
        raise NotConforming(f"{len(turns)} acts gave numbers of the shape {values.shape}")
    if not np.isfinite(values).all():
        raise NotConforming(f"every number must be finite; they are {values}")
    return values
