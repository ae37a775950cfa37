"""States made anew from the words of stored acts, whatever states were stored with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.steering.state_encoders import LinesEncoder
from simworld.training.data.seat_turns import SeatTurn


def remake_states(encoder: LinesEncoder, turns: Sequence[SeatTurn]) -> NDArray[np.float32]:
    """Gives the states (n, d_s) that the encoder would have made where the acts were made."""
    return encoder.make_states(
        [turn.own_before for turn in turns],
        [turn.heard for turn in turns],
        [(turn.turns_limit - turn.turn) / turn.turns_limit for turn in turns],
    )
