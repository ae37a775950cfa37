"""A dataset holds steered acts of the store as transitions in memory-mapped files, and is made once
per query and content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError, StoreError
from simworld.core.progress import ReportProgress
from simworld.core.rewards import CreditAssignment
from simworld.training.data.credit import SeatReward, judged_rewards, measured_rewards
from simworld.training.data.dataset_folder import (
    META,
    DatasetMeta,
    SeatEpisode,
    new_folder,
    write_dataset,
)
from simworld.training.data.dataset_query import FORMAT, DataQuery
from simworld.training.data.dataset_selection import DatasetSelection, select_data
from simworld.training.data.measured_rewards import make_utterance_reward
from store import SeatTrace, Store

TRACES = 64  # measured at a time


@dataclass(slots=True, kw_only=True)
class DatasetTally:
    """Counts what a dataset leaves out, and how far its judge agrees with itself."""

    unscored: int = 0
    without_action: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    squares: float = 0.0  # of judgements from their seat's mean
    free: int = 0  # degrees of freedom
    repeats: int = 0


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
    named = {
        "run": query.runs,
        "agent": query.agents,
        "scenario": query.scenarios,
        "family": query.families,
    }
    for kind, names in named.items():
        for name in names:
            store.check_names(**{kind: name})
    found = store.trace_overview(query.traces())
    chosen = select_data(query, found, store.judges())
    target = folder / query.key(f"{store.location}\n{found.fingerprint}")
    if (target / META).is_file():
        return target
    tally = DatasetTally()
    total = sum(count for ending, count in found.endings.items() if ending is not Ending.failed)
    traces = _reported(store.traces(query.traces()), total, on_progress)
    with new_folder(target) as work:
        written = write_dataset(
            work,
            _episodes(traces, query, chosen, tally),
            chosen.d_state,
            chosen.d_action,
            query.reward.centre,
        )
        if not written["rows"]:
            raise InputError(_nothing(query, tally))
        if store.trace_overview(query.traces()).fingerprint != found.fingerprint:
            raise StoreError(
                f"{store.location}: episodes or judgements were added meanwhile; run it again when"
                " that is over"
            )
        meta = DatasetMeta(
            format=FORMAT,
            source=store.location,
            query=query,
            encoder_id=chosen.encoder_id,
            d_state=chosen.d_state,
            d_action=chosen.d_action,
            planners=dict(found.planners),
            dtypes=dict(found.dtypes),
            weights={judge: dict(weights) for judge, weights in chosen.weights.items()},
            failed=found.endings.get(Ending.failed, 0),
            unscored=tally.unscored,
            without_action=tally.without_action,
            endings=dict(tally.endings),
            judge_sd=(tally.squares / tally.free) ** 0.5 if tally.free else None,
            judge_repeats=tally.repeats,
            **written,
        )
        (work / META).write_text(meta.model_dump_json(indent=1), "utf-8")
    return target


def _episodes(
    traces: Iterator[SeatTrace], query: DataQuery, chosen: DatasetSelection, tally: DatasetTally
) -> Iterator[SeatEpisode]:
    signal = None if query.states_only else make_utterance_reward(query.reward)
    while chunk := list(islice(traces, TRACES)):
        taken = [(trace, _steps(trace, query.states_only)) for trace in chunk]
        tally.without_action += sum(not steps for _, steps in taken)
        taken = [(trace, steps) for trace, steps in taken if steps]
        texts = [trace.acts[i].text for trace, steps in taken for i in steps]
        values = None if signal is None else signal.measure(texts)
        start = 0
        for trace, steps in taken:
            end = start + len(steps)
            scored = _scored(
                trace, steps, query, chosen, None if values is None else values[start:end]
            )
            start = end
            if scored is None:
                tally.unscored += 1
                continue
            tally.endings[trace.ending.value] += 1
            if len(chosen.weights) == 1:
                _count(tally, scored)
            yield _vectors(trace, steps, chosen, scored.placed)


def _steps(trace: SeatTrace, states_only: bool) -> list[int]:
    return [
        i
        for i, act in enumerate(trace.acts)
        if act.plan and (states_only or act.plan.action is not None)
    ]


def _scored(
    trace: SeatTrace,
    steps: list[int],
    query: DataQuery,
    chosen: DatasetSelection,
    values: NDArray[np.float64] | None,
) -> SeatReward | None:
    if query.states_only:
        return measured_rewards(np.zeros(len(steps)), "utterance")
    if values is not None:
        return measured_rewards(values, query.reward.placed)
    return judged_rewards(
        trace, [trace.acts[i].turn for i in steps], chosen.weights, query.reward.placed
    )


def _count(tally: DatasetTally, scored: SeatReward) -> None:
    if len(scored.scores) > 1:
        tally.squares += float(np.var(scored.scores)) * len(scored.scores)
        tally.free += len(scored.scores) - 1
        tally.repeats += 1


def _vectors(
    trace: SeatTrace, steps: list[int], chosen: DatasetSelection, placed: CreditAssignment
) -> SeatEpisode:
    plans = [plan for i in steps if (plan := trace.acts[i].plan)]
    actions = [
        np.zeros(0) if plan.action is None or not chosen.d_action else plan.action for plan in plans
    ]
    return SeatEpisode(
        name=f"{trace.episode_id}/{trace.seat}",
        family=trace.family,
        states=np.stack([plan.state for plan in plans]).astype("<f4"),
        actions=np.stack(actions).astype("<f4"),
        turns=[trace.acts[i].turn for i in steps],
        placed=placed,
    )


def _reported(
    traces: Iterator[SeatTrace], total: int, on_progress: ReportProgress | None
) -> Iterator[SeatTrace]:
    seen, last = 0, ""
    for trace in traces:
        if trace.episode_id != last:
            seen, last = seen + 1, trace.episode_id
            if on_progress:
                on_progress(seen, total, "")
        yield trace


def _nothing(query: DataQuery, tally: DatasetTally) -> str:
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
