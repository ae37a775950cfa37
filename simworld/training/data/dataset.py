"""A dataset holds steered acts of the store as transitions in memory-mapped files, and is made once
per query and content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.steering.state_encoders import load_lines_encoder
from simworld.core.arrays import Floats
from simworld.core.counts import counted
from simworld.core.credit_assignment import CreditAssignment
from simworld.core.episode import Ending
from simworld.core.errors import InputError, StoreError
from simworld.core.progress import ReportProgress
from simworld.training.data.dataset_folder import (
    META_FILE,
    DatasetMeta,
    SeatEpisode,
    new_dataset_folder,
    write_dataset,
)
from simworld.training.data.dataset_query import DATASET_FORMAT, DataQuery
from simworld.training.data.dataset_selection import DatasetSelection, select_data
from simworld.training.data.remade_states import remake_states
from simworld.training.data.reward_kinds import make_act_reward
from simworld.training.data.reward_rules import check_standardised
from simworld.training.data.seat_rewards import SeatReward, credit_judged, credit_measured
from simworld.training.data.seat_turns import SeatTurn, seat_turns
from store import SeatTrace, Store

# traces, and the indices of their steered acts
SteeredSeats = Sequence[tuple[SeatTrace, Sequence[int]]]
ActMeasure = Callable[[SteeredSeats], Floats]  # a number for each act, in their order
TRACES_PER_CHUNK = 64  # measured at a time


@dataclass(slots=True, kw_only=True)
class DatasetTally:
    """Counts what a dataset leaves out, and how far its judge agrees with itself."""

    unscored: int = 0
    without_action: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    squared_deviations: float = 0.0  # of judgements from their seat's mean
    dof: int = 0  # degrees of freedom
    repeated_seats: int = 0


def build_dataset(
    store: Store, query: DataQuery, folder: Path, *, on_progress: ReportProgress | None = None
) -> Path:
    """Gives the folder of a query's dataset inside `folder`: written now, or as it was if query and
    store are unchanged.

    The folder appears whole or not at all. It leaves out failed episodes and seats without a score,
    and counts both in its `meta.json`.

    Raises:
        InputError: nothing to take, vectors that do not fit together, several judges, or a number
            that is not finite.
        StoreError: the disk is full, or episodes were added meanwhile.
    """
    check_standardised(query.reward.rules)
    names_by_kind = {
        "run": query.runs,
        "agent": query.agents,
        "scenario": query.scenarios,
        "family": query.families,
    }
    for kind, names in names_by_kind.items():
        for name in names:
            store.check_names(**{kind: name})
    overview = store.trace_overview(query.trace_query())
    selection = select_data(query, overview, store.judges())
    target = folder / query.dataset_key(f"{store.location}\n{overview.fingerprint}")
    if (target / META_FILE).is_file():
        return target
    tally = DatasetTally()
    total = sum(count for ending, count in overview.endings.items() if ending is not Ending.failed)
    traces = _report_progress(store.traces(query.trace_query()), total, on_progress)
    with new_dataset_folder(target) as new:
        written_meta = write_dataset(
            new,
            _rewarded_episodes(traces, query, selection, tally, store),
            selection.d_state,
            selection.d_action,
            query.reward.centre,
        )
        if not written_meta["rows"]:
            raise InputError(_no_data_message(query, tally))
        if store.trace_overview(query.trace_query()).fingerprint != overview.fingerprint:
            raise StoreError(
                f"{store.location}: episodes or judgements were added meanwhile; run it again when"
                " that is over"
            )
        meta = DatasetMeta(
            format=DATASET_FORMAT,
            source=store.location,
            query=query,
            encoder_id=selection.encoder_id,
            d_state=selection.d_state,
            d_action=selection.d_action,
            planners=dict(overview.planners),
            dtypes=dict(overview.dtypes),
            weights={judge: dict(weights) for judge, weights in selection.weights.items()},
            failed=overview.endings.get(Ending.failed, 0),
            unscored=tally.unscored,
            without_action=tally.without_action,
            endings=dict(tally.endings),
            judge_sd=(tally.squared_deviations / tally.dof) ** 0.5 if tally.dof else None,
            judge_repeats=tally.repeated_seats,
            **written_meta,
        )
        (new / META_FILE).write_text(meta.model_dump_json(indent=1), "utf-8")
    return target


def _rewarded_episodes(
    traces: Iterator[SeatTrace],
    query: DataQuery,
    selection: DatasetSelection,
    tally: DatasetTally,
    store: Store,
) -> Iterator[SeatEpisode]:
    measure = _act_measure(query, store)
    encoder = load_lines_encoder(query.states) if query.states else None
    while chunk := list(islice(traces, TRACES_PER_CHUNK)):
        steered = [(trace, _steered_acts(trace, query.states_only)) for trace in chunk]
        tally.without_action += sum(not act_indices for _, act_indices in steered)
        steered = [(trace, act_indices) for trace, act_indices in steered if act_indices]
        values = None if measure is None else measure(steered)
        states = None if encoder is None else remake_states(encoder, _turns_of(steered, store))
        start = 0
        for trace, act_indices in steered:
            end = start + len(act_indices)
            own_states = None if states is None else states[start:end]
            reward = _reward_seat(
                trace, act_indices, query, selection, None if values is None else values[start:end]
            )
            start = end
            if reward is None:
                tally.unscored += 1
                continue
            tally.endings[trace.ending.value] += 1
            if len(selection.weights) == 1:
                _count_judge_agreement(tally, reward)
            yield _seat_episode(trace, act_indices, selection, reward.credit, own_states)


def _act_measure(query: DataQuery, store: Store) -> ActMeasure | None:
    """What measures the steered acts of seats; None where a judge does, or nothing."""
    reward = None if query.states_only else make_act_reward(query.reward)
    if reward is None:
        return None

    def measure(seats: SteeredSeats) -> Floats:
        if reward.words_alone:
            texts = [trace.acts[i].text for trace, act_indices in seats for i in act_indices]
            return reward.of_texts(texts)[:, 0]
        return reward.measure(_turns_of(seats, store))[:, 0]

    return measure


def _turns_of(seats: SteeredSeats, store: Store) -> list[SeatTurn]:
    """The steered acts with what stood around them."""
    turns: list[SeatTurn] = []
    for trace, act_indices in seats:
        episode = store.episode(trace.episode_id, vectors=False).episode
        by_turn = seat_turns(store.scenario(trace.scenario_id), episode, trace.seat)
        turns += [by_turn[trace.acts[i].turn] for i in act_indices]
    return turns


def _steered_acts(trace: SeatTrace, states_only: bool) -> list[int]:
    return [
        i
        for i, act in enumerate(trace.acts)
        if act.plan and (states_only or act.plan.action is not None)
    ]


def _reward_seat(
    trace: SeatTrace,
    act_indices: list[int],
    query: DataQuery,
    selection: DatasetSelection,
    values: NDArray[np.float64] | None,
) -> SeatReward | None:
    if query.states_only:
        return credit_measured(np.zeros(len(act_indices)), "utterance")
    if values is not None:
        return credit_measured(values, query.reward.placement)
    return credit_judged(
        trace, [trace.acts[i].turn for i in act_indices], selection.weights, query.reward.placement
    )


def _count_judge_agreement(tally: DatasetTally, reward: SeatReward) -> None:
    if len(reward.scores) > 1:
        tally.squared_deviations += float(np.var(reward.scores)) * len(reward.scores)
        tally.dof += len(reward.scores) - 1
        tally.repeated_seats += 1


def _seat_episode(
    trace: SeatTrace,
    act_indices: list[int],
    selection: DatasetSelection,
    credit: CreditAssignment,
    states: NDArray[np.float32] | None,
) -> SeatEpisode:
    plans = [plan for i in act_indices if (plan := trace.acts[i].plan)]
    actions = [
        np.zeros(0) if plan.action is None or not selection.d_action else plan.action
        for plan in plans
    ]
    return SeatEpisode(
        name=f"{trace.episode_id}/{trace.seat}",
        family=trace.family,
        states=(np.stack([plan.state for plan in plans]) if states is None else states).astype(
            "<f4"
        ),
        actions=np.stack(actions).astype("<f4"),
        turns=[trace.acts[i].turn for i in act_indices],
        credit=credit,
    )


def _report_progress(
    traces: Iterator[SeatTrace], total: int, on_progress: ReportProgress | None
) -> Iterator[SeatTrace]:
    done, last_episode = 0, ""
    for trace in traces:
        if trace.episode_id != last_episode:
            done, last_episode = done + 1, trace.episode_id
            if on_progress:
                on_progress(done, total, "")
        yield trace


def _no_data_message(query: DataQuery, tally: DatasetTally) -> str:
    method = query.reward.attribution
    if tally.unscored and method is not None:
        return (
            f"no seat has judgements shared out by {method!r}; simworld judge attribute --method"
            f" {method} makes them"
        )
    return (
        f"nothing to take: {counted(tally.unscored, 'seat has', 'seats have')} no score,"
        f" {tally.without_action} no action"
    )
