"""Evaluating from start to end with real agents, engine, store and statistics; only models are
fakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import make_agent
from simworld.core.errors import Failure
from simworld.core.measures import OVERALL
from simworld.core.requests import Completion, Generate, Request
from simworld.judging.judge_spec import JudgeSpec
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures, plan_arms
from simworld.pipeline.evaluate import evaluate
from simworld.pipeline.evaluation_result import evaluation_json
from simworld.results.arms import scores_by_seat
from simworld.results.last_attempts import last_attempts
from simworld.runner.agent_pool import AgentPool
from simworld.testing.fakes import FakeBackend, fake_answer
from simworld.training.data.dataset_query import RewardSettings
from store import Store, open_store

SCENE = """\
name: kitchen-{n}
setting: A kitchen in the evening, number {n}.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help with the dishes.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
"""
MODEL = "builtin:smollm2-135m-instruct"  # never loaded: the loaded agents have a fake in its place
PLEASE = RewardSettings(measure="lexical", pattern="(?i)please")
FAMILIES = 6


def lm(name: str, temperature: float) -> str:
    return (
        f"name: {name}\nmodel: {MODEL}\nmax_similarity: 1\nsampling: {{temperature:"
        f" {temperature}}}\n"
    )


def says(request: Request) -> str | Completion:
    """A sentence by prompt and seed; agents with a temperature of .5 say please in half of their
    lines."""
    if isinstance(request, Generate):
        polite = request.sampling.temperature == 0.5 and request.seed % 2 == 0
        return f"{'Please, listen' if polite else 'Listen'}, number {request.seed % 997}."
    return fake_answer(request)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for n in range(FAMILIES):
        (tmp_path / f"k{n}.yaml").write_text(SCENE.format(n=n))
    (tmp_path / "plain.yaml").write_text(lm("plain", 0.4))
    (tmp_path / "gentle.yaml").write_text(lm("gentle", 0.5))
    (tmp_path / "other.yaml").write_text(lm("other", 0.6))
    (tmp_path / "mute.yaml").write_text("name: mute\nkind: scripted\nlines: [Hm., Well.]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{folder / 'x.db'}", create=True) as made:
        yield made


def plan(
    repeats: int = 2, seats: str = "both", partners: tuple[str, ...] = ("mute.yaml",)
) -> ArmsPlan:
    return plan_arms(
        {"base": "plain.yaml", "steered": "gentle.yaml", "twin": "plain.yaml"},
        scenarios=["k*.yaml"],
        partners=partners,
        seats=seats,  # type: ignore[arg-type]
        repeats=repeats,
        run="e",
    )


def crew_of(made: ArmsPlan, backend: FakeBackend) -> AgentPool:
    infos = {name: backend.info for name, loaded in made.specs.items() if loaded.spec.kind == "lm"}
    agents = {name: make_agent(loaded, infos.get(name)) for name, loaded in made.specs.items()}
    return AgentPool(agents=agents, backends={f"{MODEL}#auto": backend}, infos=infos)


def test_arms_meet_the_same_circumstances_with_the_same_random_numbers(store: Store) -> None:
    made, backend = plan(), FakeBackend(says)
    found = evaluate(
        made, crew_of(made, backend), store, EvaluationMeasures(reward=PLEASE), replies_read=0
    )
    # 6 scenarios × 2 seats × 2 repeats; the twin is the base's agent, so its episodes are the
    # base's.
    assert {
        name: (arm.planned, arm.missing, arm.failed, arm.unscored)
        for name, arm in found.arms.items()
    } == dict.fromkeys(("base", "steered", "twin"), (24, 0, 0, 0))
    assert len(store.episode_summaries(run="e")) == 48
    asked: dict[float, list[int]] = {0.4: [], 0.5: []}
    for request in backend.requests:
        assert isinstance(request, Generate)
        asked[request.sampling.temperature].append(request.seed)
    assert sorted(asked[0.4]) == sorted(asked[0.5])  # common random numbers
    twin, steered = (
        found.paired("twin", "base", "lexical"),
        found.paired("steered", "base", "lexical"),
    )
    assert twin is not None
    assert steered is not None
    assert (twin.mean, twin.z, twin.sign_p) == (0.0, None, 1.0)
    assert (steered.pairs, steered.cells, steered.families) == (24, 12, 6)
    # Each seat speaks twice in four turns: by hand, the share of its even seeds.
    shares = [
        request.seed % 2 == 0 for request in backend.requests if isinstance(request, Generate)
    ]
    assert steered.mean == pytest.approx(sum(shares) / len(shares))
    assert [(c.first, c.second) for c in found.comparisons] == [
        ("steered", "base"),
        ("twin", "base"),
        ("steered", "twin"),
    ]
    assert found.quality["steered"].utterances == 48


def test_again_plays_nothing_and_more_repeats_play_the_rest(store: Store) -> None:
    made, backend = plan(), FakeBackend(says)
    first = evaluate(
        made, crew_of(made, backend), store, EvaluationMeasures(reward=PLEASE), replies_read=0
    )
    before = len(backend.requests)
    again = evaluate(
        made, crew_of(made, backend), store, EvaluationMeasures(reward=PLEASE), replies_read=0
    )
    assert len(backend.requests) == before
    assert evaluation_json(again) == evaluation_json(first)
    more = plan(repeats=3)
    evaluate(more, crew_of(more, backend), store, EvaluationMeasures(reward=PLEASE), replies_read=0)
    assert len(backend.requests) == before * 3 // 2


def test_a_judge_scores_every_seat_once_and_only_what_is_new(store: Store, folder: Path) -> None:
    spec = JudgeSpec(name="fake", model=MODEL, method="statements")
    made, backend = plan(repeats=1), FakeBackend(says)
    found = evaluate(
        made, crew_of(made, backend), store, EvaluationMeasures(judge=spec), replies_read=0
    )
    assert found.main == OVERALL
    assert found.measures[0] == OVERALL
    assert "goal" in found.measures
    assert all(arm.unscored == 0 for arm in found.arms.values())
    comparison = found.comparisons[0]
    goal, overall = comparison.by_measure["goal"], comparison.by_measure[OVERALL]
    assert goal is not None
    assert overall is not None
    assert goal.p is not None
    assert goal.p_holm is not None
    assert goal.p <= goal.p_holm <= 1
    assert overall.p_holm is None  # not one of the dimensions
    # The difference of one place, from the store itself.
    seats = scores_by_seat(store, found.judge_ids, [s.id for s in store.episode_summaries(run="e")])
    rows = [
        row for row in store.score_rows(run="e") if (row.episode_id, row.seat) == next(iter(seats))
    ]
    assert seats[next(iter(seats))][OVERALL] == pytest.approx(
        sum(row.rescaled for row in rows) / len(rows)
    )
    before = len(backend.requests)
    evaluate(made, crew_of(made, backend), store, EvaluationMeasures(judge=spec), replies_read=0)
    assert len(backend.requests) == before


def test_failures_and_missing_scores_are_counted_and_never_scored(store: Store) -> None:
    def sometimes(request: Request) -> str | Completion:
        if (
            isinstance(request, Generate)
            and request.sampling.temperature == 0.5
            and "number 0." in str(request.prompt)
        ):
            return Failure(boundary="model", kind="broken", message="no")
        return says(request)

    made = plan(repeats=1, seats="first")
    found = evaluate(
        made,
        crew_of(made, FakeBackend(sometimes)),
        store,
        EvaluationMeasures(reward=PLEASE),
        replies_read=0,
    )
    steered = found.arms["steered"]
    assert (steered.planned, steered.failed, steered.unscored) == (6, 1, 0)
    assert steered.failed_share == pytest.approx(1 / 6)
    paired = found.paired("steered", "base", "lexical")
    assert paired is not None
    assert (paired.pairs, paired.families) == (5, 5)
    made_again = plan(repeats=1, seats="first")
    retried = evaluate(
        made_again,
        crew_of(made_again, FakeBackend(says)),
        store,
        EvaluationMeasures(reward=PLEASE),
        retry_failed=True,
        replies_read=0,
    )
    assert retried.arms["steered"].failed == 0
    assert (
        max(summary.attempt for summary in last_attempts(store.episode_summaries(run="e")).values())
        == 2
    )


def test_one_family_gives_no_z_and_says_so(store: Store) -> None:
    made = plan_arms(
        {"base": "plain.yaml", "steered": "gentle.yaml"},
        scenarios=["k1.yaml"],
        partners=["mute.yaml"],
        repeats=3,
        run="e",
    )
    found = evaluate(
        made,
        crew_of(made, FakeBackend(says)),
        store,
        EvaluationMeasures(reward=PLEASE),
        replies_read=0,
    )
    paired = found.paired("steered", "base", "lexical")
    assert paired is not None
    assert (paired.z, paired.p, paired.low) == (None, None, None)
    assert "1 family: no z" in paired.notes[0]
    assert json.loads(json.dumps(evaluation_json(found)))["comparisons"][0]["measures"]["lexical"][
        "notes"
    ]


def test_perplexity_is_that_of_the_unsteered_prompt(store: Store) -> None:
    made, backend = plan(repeats=1), FakeBackend(says)
    found = evaluate(
        made, crew_of(made, backend), store, EvaluationMeasures(reward=PLEASE), replies_read=10
    )
    scored = [request for request in backend.requests if not isinstance(request, Generate)]
    generated = {request.prompt for request in backend.requests if isinstance(request, Generate)}
    assert len(scored) == 30  # ten of each arm
    assert all(request.prompt in generated for request in scored if hasattr(request, "prompt"))
    assert found.quality["base"].perplexity == found.quality["twin"].perplexity
    assert (found.quality["base"].perplexity or 0) > 1


def test_partners_are_cells_of_their_own_and_may_be_an_arm(store: Store) -> None:
    made = plan(repeats=1, partners=("mute.yaml", "other.yaml", "plain.yaml"))
    found = evaluate(
        made,
        crew_of(made, FakeBackend(says)),
        store,
        EvaluationMeasures(reward=PLEASE),
        replies_read=0,
    )
    assert found.arms["base"].planned == 6 * 2 * 3
    paired = found.paired("steered", "base", "lexical")
    assert paired is not None
    assert (paired.cells, paired.families) == (36, 6)
    # plain beside plain is one episode, whichever seat counts.
    assert len(store.episode_summaries(run="e")) == 6 * (2 * 2 * 3 - 1)
