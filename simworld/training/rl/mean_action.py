"""A planner's mean action as a constant: what it does whatever is said, to compare it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from agents.steering.checkpoint import Checkpoint
from simworld.core.errors import InputError
from simworld.training.data.transitions import STATE_ROWS, Transitions


def mean_action_checkpoint(
    planner: Checkpoint, transitions: Transitions, *, data: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Makes a planner that always takes the mean of what a planner does in the states of a dataset,
    put on the sphere of radius √d'.

    Args:
        planner: with an actor.
        transitions: whose states are used, and nothing else of them.
        data: what the checkpoint says about them.

    Raises:
        InputError: for a planner without an actor, states of another size, or actions whose mean
            points nowhere.
    """
    if planner.actor is None:
        raise InputError(
            f"planner {planner.id[:11]}… has no actor, so no mean action; give a trained planner"
        )
    size = transitions.states.shape[1]
    if size != planner.info.d_state:
        raise InputError(f"these states have {size} numbers, planner takes {planner.info.d_state}")
    rows = transitions.state_rows
    total = torch.zeros(planner.info.d_action)
    with torch.no_grad():
        for start in range(0, len(rows), STATE_ROWS):
            states = transitions.states[rows[start : start + STATE_ROWS]]
            total += planner.choose_actions(torch.from_numpy(states)).sum(0)
    mean = total / max(len(rows), 1)
    length = float(mean.norm())
    if not length > 1e-6:
        raise InputError("what this planner does has no mean: its actions point everywhere")
    info = planner.info.derived(
        actor=None, constant=True, data=dict(data or {}), metrics={}, parent=planner.id
    )
    action = mean * (planner.info.d_action**0.5 / length)
    return replace(planner, info=info, actor=None, constant=action, blind=None)
