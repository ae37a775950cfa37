"""Strategies for any episode a database can hold."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    CheckResult,
    Ending,
    Episode,
    Generation,
    PlanStep,
    Turn,
    WorkItem,
)
from simworld.core.errors import Failure

# What every database can hold: no NUL, no lone surrogates
texts = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)
reals = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**31 - 1)
seeds = st.integers(0, 2**64 - 1)
vectors = hnp.arrays(np.float32, st.integers(0, 9), elements=st.floats(width=32))
generations = st.builds(
    Generation,
    model_id=texts,
    dtype=texts,
    prompt_version=texts,
    seed=seeds,
    prompt_tokens=st.integers(0, 10**5),
    new_tokens=st.integers(0, 10**5),
    latency_s=reals,
    logprob=st.none() | reals,
    finish=st.sampled_from(["stop", "length"]),
    raw=texts,
    asks=counts,
    dropped_events=counts,
    reasoning_tokens=st.none() | counts,
)
plans = st.builds(
    PlanStep,
    state=vectors,
    action=st.none() | vectors,
    encoder_id=texts,
    planner_id=texts,
    noisy=st.booleans(),
)
acts = st.builds(
    Act,
    seat=st.sampled_from(["seller", "buyer"]),
    action=st.builds(
        Action,
        kind=st.sampled_from(ActionKind),
        text=texts,
        to=st.lists(st.sampled_from(["seller", "buyer"]), max_size=2).map(tuple),
    ),
    generation=st.none() | generations,
    plan=st.none() | plans,
)
checks = st.builds(
    CheckResult,
    name=texts,
    holds=st.none() | st.booleans(),
    value=st.none() | texts | reals,
    turn=st.none() | counts,
    error=st.none() | texts,
)


@st.composite
def episodes(draw: st.DrawFn, work: WorkItem) -> Episode:
    """Any episode of a work item, failed ones too, turns without an act too."""
    failure = draw(st.none() | st.builds(Failure, boundary=texts, kind=texts, message=texts))
    turns = draw(st.lists(st.lists(acts, max_size=3), max_size=4))
    return Episode(
        scenario_id=work.scenario_id,
        cast=work.cast,
        seed=draw(seeds),
        turns=tuple(Turn(index=index, acts=tuple(part)) for index, part in enumerate(turns)),
        ending=Ending.failed
        if failure
        else draw(st.sampled_from([Ending.terminated, Ending.turn_limit])),
        reason=draw(texts),
        checks=tuple(draw(st.lists(checks, max_size=3))),
        failure=failure,
    )
