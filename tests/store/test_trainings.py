"""Trainings and their measurements, attributions, and the traces that training reads: the same on
both databases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from simworld.core.episode import PlanStep
from simworld.core.errors import InputError
from simworld.core.judgement import Judgement
from store import Attribution, Store, TraceQuery, TrainingRecord, TrainingStep
from tests.factories.stored import NOON, add, begin, judged, played, same, unjudgeable

TRAINING = TrainingRecord(
    name="haggler",
    kind="td3bc",
    code_version="0.1",
    created=NOON,
    settings={"alpha": 2.5, "widths": (256, 256)},
    data={"query": {"runs": ["first"]}, "rows": 40, "sha256": "ab"},
)
PLAN = PlanStep(
    state=np.arange(3, dtype=np.float32),
    action=np.array([1, -1], dtype=np.float32),
    encoder_id="enc%1",
    planner_id="p1",
    noisy=True,
)


def steered(store: Store, repeats: int = 1) -> list[str]:
    """Episodes of two acts, the first of them steered, by id."""
    ids = []
    for work in begin(store, repeats=repeats):
        episode = played(work, "Good evening.", "Good evening!")
        first, second = episode.turns
        turn = replace(first, acts=(replace(first.acts[0], plan=PLAN),))
        add(store, work, replace(episode, turns=(turn, second)))
        ids.append(work.episode_id(1))
    return sorted(ids)


def score(store: Store, judgement: Judgement) -> None:
    store.add_judge(judgement.judge_id, "judge", {})
    rescaled = {
        (verdict.seat, verdict.dimension): verdict.score / 10 for verdict in judgement.verdicts
    }
    assert store.add_judgement(judgement, rescaled)


def test_a_training_and_its_steps_come_back(store: Store) -> None:
    assert store.begin_training(TRAINING)
    store.add_training_steps(
        "haggler", [(0, {"critic": 1.5, "actor": math.nan}), (100, {"critic": 0.5})]
    )
    # a resume measures again
    store.add_training_steps("haggler", [(100, {"critic": 9.0, "actor": math.inf})])
    first, actor, critic, last = store.training_steps("haggler")
    assert (first.metric, math.isnan(first.value)) == ("actor", True)
    assert (actor, math.isnan(last.value)) == (
        TrainingStep(step=0, metric="critic", value=1.5),
        False,
    )
    assert store.training_steps("haggler", metric="critic") == [
        TrainingStep(step=0, metric="critic", value=1.5),
        TrainingStep(step=100, metric="critic", value=0.5),
    ]
    assert critic.step == 100
    store.finish_training("haggler", checkpoint_id="c1", metrics={"q": 0.25})
    (done,) = store.training_runs()
    assert (done.status, done.checkpoint_id, done.metrics) == ("finished", "c1", {"q": 0.25})
    assert done.finished is not None
    assert done.settings == {"alpha": 2.5, "widths": [256, 256]}


def test_a_training_goes_on_only_with_the_same_settings_and_data(store: Store) -> None:
    store.begin_training(TRAINING)
    store.finish_training("haggler", status="failed")
    assert not store.begin_training(TRAINING)
    assert (store.training_runs()[0].status, store.training_runs()[0].finished) == ("running", None)
    with pytest.raises(
        InputError,
        match="a training 'haggler' exists with other settings and data; give another name",
    ):
        store.begin_training(replace(TRAINING, settings={"alpha": 1.0}, data={}))


def test_a_failed_training_leaves_its_name_unless_something_was_measured(store: Store) -> None:
    other = replace(TRAINING, settings={"alpha": 1.0})
    store.begin_training(TRAINING)
    store.finish_training("haggler", status="failed")
    assert store.begin_training(other)
    ((one),) = store.training_runs()
    assert (one.status, one.finished, one.settings) == ("running", None, {"alpha": 1.0})
    store.add_training_steps("haggler", [(0, {"critic": 1.5})])
    store.finish_training("haggler", status="failed")
    with pytest.raises(InputError, match="a training 'haggler' exists with other settings"):
        store.begin_training(TRAINING)


def test_attributions_belong_to_a_judgement_that_is_ok(store: Store) -> None:
    first, second = steered(store, repeats=2)
    score(store, judged(first, {("seller", "goal"): 7.0}))
    assert store.add_judgement(unjudgeable(second), {})
    ((id_, episode, sample),) = store.unattributed("j1", "prefixes")
    assert (episode, sample) == (first, 0)
    assert list(store.unattributed("j1", "prefixes", run="other")) == []
    parts = [Attribution(seat="seller", turn=0, value=0.25, dimension="goal")]
    store.add_attributions(id_, "prefixes", parts)
    store.add_attributions(id_, "prefixes", [replace(parts[0], value=0.75)])
    (trace, _) = store.traces(TraceQuery())
    assert trace.scores[0].attributions == {("prefixes", "goal"): {0: 0.25}}
    assert list(store.unattributed("j1", "prefixes")) == []
    assert [row[0] for row in store.unattributed("j1", "attributed")] == [id_]
    with pytest.raises(ValueError, match="finite"):
        store.add_attributions(id_, "attributed", [replace(parts[0], value=math.nan)])


def test_traces_hold_the_acts_vectors_and_scores_of_a_seat(store: Store) -> None:
    (id_,) = steered(store)
    for sample in (1, 0):
        score(
            store,
            judged(id_, {("seller", "goal"): 7.0 + sample, ("buyer", "goal"): 1.0}, sample=sample),
        )
    (trace,) = store.traces(TraceQuery())
    assert (trace.episode_id, trace.seat, trace.agent_id, trace.agent_name) == (
        id_,
        "seller",
        "a1",
        "smol",
    )
    assert (trace.family, trace.run) == ("tickets", "first")
    (act,) = trace.acts
    assert (act.turn, act.text) == (0, "Good evening.")
    assert same(act.plan, PLAN)
    assert [(scores.sample, scores.rescaled) for scores in trace.scores] == [
        (0, {"goal": 0.7}),
        (1, {"goal": 0.8}),
    ]


def test_traces_are_streamed_in_order(store: Store) -> None:
    ids = steered(store, repeats=150)
    assert [trace.episode_id for trace in store.traces(TraceQuery(encoders=("enc%",)))] == ids
    assert list(store.traces(TraceQuery(encoders=("enc_",)))) == []  # `%` and `_` mean themselves


def test_an_overview_counts_without_vectors(store: Store) -> None:
    first, _ = steered(store, repeats=2)
    empty = store.trace_overview(TraceQuery())
    score(store, judged(first, {("seller", "goal"): 7.0}))
    found = store.trace_overview(TraceQuery())
    assert (dict(found.endings), found.planners, found.judges) == (
        {"turn_limit": 2},
        {"p1": 2},
        {"j1": 1},
    )
    (kind,) = found.kinds
    assert (kind.encoder_id, kind.state_shape, kind.action_shape, kind.acts) == (
        "enc%1",
        (3,),
        (2,),
        2,
    )
    assert found.fingerprint != empty.fingerprint
    assert found.fingerprint == store.trace_overview(TraceQuery(runs=("first",))).fingerprint
    ((judgement, _, _),) = store.unattributed("j1", "attributed")
    store.add_attributions(judgement, "attributed", [Attribution(seat="seller", turn=0, value=1.0)])
    assert store.trace_overview(TraceQuery()).fingerprint != found.fingerprint
    assert store.trace_overview(TraceQuery(agents=("rival",))).kinds == ()
