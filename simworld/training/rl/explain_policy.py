"""What a planner does in stored states, told situation by situation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from agents.steering.named_ways import named_ways
from agents.steering.state_encoders import LINES_PREFIX, load_lines_encoder
from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.training.data.dataset_turns import dataset_turns
from simworld.training.data.remade_states import remake_states
from simworld.training.data.seat_turns import SeatTurn, seat_turns
from simworld.training.data.situations import planner_situations
from simworld.training.data.transitions import STATE_ROWS, Transitions
from simworld.training.rl.policy_table import PolicyTable, tabulate_policy
from simworld.training.rl.way_names import name_ways
from store import Store


def explain_runs(checkpoint: Checkpoint, store: Store, runs: Iterable[str]) -> PolicyTable:
    """Tells what a planner does in all states of these runs that its encoder made, whoever acted;
    where it reads the last line of each side, in all that were recorded, made anew.

    Raises InputError where there is none, or the checkpoint has no policy.
    """
    info = checkpoint.info
    reads_lines = info.encoder.model.startswith(LINES_PREFIX)
    states, turns, others = [], list[SeatTurn](), dict[str, None]()
    for stored in (each for run in runs for each in store.episodes(run=run)):
        plans = [
            (turn.index, act.seat, act.plan)
            for turn in stored.episode.turns
            for act in turn.acts
            if act.plan is not None
        ]
        if not plans or stored.episode.ending is Ending.failed:
            continue
        scenario = store.scenario(stored.episode.scenario_id)
        by_seat = {
            seat: seat_turns(scenario, stored.episode, seat)
            for seat in {seat for _, seat, _ in plans}
        }
        for index, seat, plan in plans:
            if reads_lines:
                turns.append(by_seat[seat][index])
            elif plan.encoder_id == info.encoder.id and plan.state.size == info.d_state:
                states.append(plan.state.ravel())
                turns.append(by_seat[seat][index])
            else:
                others[plan.encoder_id] = None
    if not turns:
        found = f"; there are some of {', '.join(others)}" if others else ""
        raise InputError(
            f"no states of encoder {info.encoder.id} in these runs{found}; choose a run in which an"
            " agent with this planner, or with `record_states: true`, has played"
        )
    if reads_lines:
        remade = remake_states(load_lines_encoder(info.encoder.model), turns)
        return _explain(checkpoint, remade, turns)
    return _explain(checkpoint, np.stack(states), turns)


def explain_transitions(
    checkpoint: Checkpoint, store: Store, transitions: Transitions
) -> PolicyTable:
    """Tells what a planner does in the states of a dataset, whose episodes are in the store.

    Raises InputError where an episode is not, states do not fit, or the checkpoint has no policy.
    """
    turns = dataset_turns(store, transitions)
    return _explain(checkpoint, transitions.states[transitions.state_rows], turns)


def describe_planner(
    checkpoint: Checkpoint, store: Store, transitions: Transitions
) -> tuple[Checkpoint, dict[str, Any]]:
    """Gives a trained planner, its ways in words, and for the record of its training what it does;
    as it was, and nothing, where the store has the episodes no more.
    """
    try:
        turns = dataset_turns(store, transitions)
    except InputError:  # no reason to lose what was trained
        return checkpoint, {}
    checkpoint = name_ways(checkpoint, transitions, [turn.text for turn in turns])
    policy = _explain(checkpoint, transitions.states[transitions.state_rows], turns)
    return checkpoint, {"policy": policy.to_json()}


def _explain(
    checkpoint: Checkpoint, states: NDArray[np.float32], turns: Sequence[SeatTurn]
) -> PolicyTable:
    info = checkpoint.info
    if (size := states.shape[1]) != info.d_state and not info.constant:
        raise InputError(
            f"these states have {counted(size, 'number')}; the planner takes {info.d_state}"
        )
    if info.blind:
        raise InputError(
            f"planner {checkpoint.id[:11]}… is blind: it takes what a planner chose for other"
            " dialogues; explain that planner"
        )
    if info.actor is None and not info.constant:
        raise InputError(
            f"planner {checkpoint.id[:11]}… is an up-mapping alone: it decides nothing that could"
            " be told; explain a trained planner"
        )
    with torch.no_grad():
        actions = torch.cat(
            [
                checkpoint.choose_actions(torch.from_numpy(states[start : start + STATE_ROWS]))
                for start in range(0, len(states), STATE_ROWS)
            ]
        ).numpy()
    situations = planner_situations(info.data)
    holds = np.array([[each.holds(turn) for each in situations] for turn in turns], dtype=np.bool_)
    names = [situation.name for situation in situations]
    return tabulate_policy(actions, holds, names, named_ways(info, checkpoint.to_arrays()))
