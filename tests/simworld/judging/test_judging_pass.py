"""A judge's pass over a real SQLite store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scenarios.rubrics import load_rubric
from simworld.core.episode import Ending, Episode, WorkItem
from simworld.core.errors import Failure
from simworld.core.judgement import JudgementStatus
from simworld.core.requests import Completion, Request, Score, TextPrompt
from simworld.core.scenario import Scenario
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from store import AgentRecord, PlannedItem, RunRecord, Store
from tests.factories.judging import AnsweringBackend, lamp_scenario, make_episode, scored_reply
from tests.factories.losing_backend import LosingBackend

SPEC = JudgeSpec(name="s", model="builtin:m", method="statements")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WIT = """name: wit
dimensions:
  - name: wit
    range: [0, 4]
    question: Is {name} witty?
    statements: [{high: "{name} is witty.", low: "{name} is dull."}]
"""


def fill(
    store: Store, *texts: str, run: str = "r", scenario: Scenario | None = None, turns: int = 1
) -> list[str]:
    """Stores one episode per text, said in each turn, and returns their ids; `failed` stands for an
    episode that failed."""
    scenario = scenario or lamp_scenario()
    agents = [AgentRecord(id="agent", name="agent", spec={})]
    cast = {seat.name: "agent" for seat in scenario.seats}
    items = [
        WorkItem(run=run, scenario_id=scenario.id, cast=cast, repeat=i) for i in range(len(texts))
    ]
    planned = [
        PlannedItem(item=item, scenario_name=scenario.name, family=scenario.family)
        for item in items
    ]
    store.begin_run(
        RunRecord(name=run, seed=0, code_version="", created=NOW), planned, [scenario], agents
    )
    ids = []
    for item, text in zip(items, texts, strict=True):
        episode = make_episode(scenario, *[("seller", text)] * turns)
        if text == "failed":
            failure = Failure(boundary="model", kind="timeout", message="")
            episode = Episode(
                scenario_id=scenario.id,
                cast=cast,
                seed=0,
                turns=(),
                ending=Ending.failed,
                reason="timeout",
                failure=failure,
            )
        store.add_episode(
            item,
            1,
            episode,
            scenario_name=scenario.name,
            family=scenario.family,
            started=NOW,
            ended=NOW,
        )
        ids.append(item.episode_id(1))
    return ids


class Model:
    """Log-odds of zero for everything; fails where the dialogue says `broken`, until it is
    repaired."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, request: Request) -> Completion:
        assert isinstance(request, Score)
        assert isinstance(request.prompt, TextPrompt)
        if self.broken and "broken" in request.prompt.text:
            return Failure(boundary="model", kind="too-long", message="9,000 tokens")
        return scored_reply(request, lambda prompt, c: -1.0)


def test_a_judgement_whose_request_is_lost_fails(store: Store) -> None:
    (episode,) = fill(store, "Forty.")
    tally = JudgingPass(store, SPEC, LosingBackend("builtin:m")).judge_missing()
    assert (tally.scored, tally.failed) == (0, 1)
    (judgement,) = store.judgements(episode)
    assert judgement.judgement.failure == Failure(
        boundary="model", kind="lost", message="builtin:m never answered the request"
    )


def test_every_episode_is_judged_once_and_failures_are_data(store: Store) -> None:
    good, bad, _ = fill(store, "Forty.", "broken", "failed")
    backend = AnsweringBackend(model := Model())
    steps: list[JudgingTally] = []
    tally = JudgingPass(store, SPEC, backend).judge_missing(on_progress=steps.append)
    assert (tally.scored, tally.failed, tally.already_judged, tally.remaining) == (1, 1, 0, 0)
    assert [step.scored + step.failed for step in steps] == [0, 1, 2]
    (judgement,) = store.judgements(good)
    scores = {(v.seat, v.dimension): v.score for v in judgement.judgement.verdicts}
    assert scores["seller", "goal"] == 5  # log-odds 0: the middle of the range
    assert scores["buyer", "relationship"] == 0
    assert scores["buyer", "secret"] == 0  # he has none
    assert len(scores) == 14
    assert judgement.rescaled["seller", "goal"] == 0.5
    assert judgement.judgement.model_id == "answering"
    assert judgement.judgement.dtype == "float32"
    (failed,) = store.judgements(bad)
    assert failed.judgement.status is JudgementStatus.failed
    assert failed.judgement.verdicts == ()
    assert failed.judgement.failure == Failure(
        boundary="model", kind="too-long", message="9,000 tokens"
    )

    asked = len(backend.asked)
    tally = JudgingPass(store, SPEC, backend).judge_missing()
    assert (tally.scored, tally.failed, tally.already_judged) == (0, 0, 2)
    assert len(backend.asked) == asked  # nothing is asked twice

    model.broken = False
    tally = JudgingPass(store, SPEC, backend, retry_failed=True).judge_missing()
    assert (tally.scored, tally.failed, tally.already_judged) == (1, 0, 1)
    (again,) = store.judgements(bad)
    assert (again.attempt, again.judgement.status) == (2, JudgementStatus.ok)
    assert [f.kind for f in again.earlier_failures] == ["too-long"]


def test_samples_and_runs(store: Store) -> None:
    fill(store, "One.", run="a")
    (other,) = fill(store, "Two.", run="b")
    backend = AnsweringBackend(Model())
    tally = JudgingPass(store, SPEC, backend, run="a").judge_missing(samples=2)
    assert (tally.scored, tally.already_judged) == (2, 0)
    assert store.judgements(other) == []
    tally = JudgingPass(store, SPEC, backend).judge_missing(samples=3)
    assert (tally.scored, tally.already_judged) == (4, 2)
    assert [j.judgement.sample for j in store.judgements(other)] == [0, 1, 2]


def test_a_scenario_may_bring_a_rubric_of_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wit.yaml").write_text(WIT)
    monkeypatch.chdir(tmp_path)
    own = Scenario(name="own", setting="A bar.", seats=lamp_scenario().seats, rubric="wit.yaml")
    (usual,) = fill(store, "One.", run="a")
    (special,) = fill(store, "Two.", run="b", scenario=own)
    backend = AnsweringBackend(Model())
    tally = JudgingPass(store, SPEC, backend).judge_missing()
    assert (tally.scored, tally.already_judged, len(set(tally.judge_ids))) == (2, 0, 2)
    (judgement,) = store.judgements(special)
    assert {v.dimension: v.score for v in judgement.judgement.verdicts} == {"wit": 2}
    assert judgement.judgement.rubric_id.startswith("wit@")
    assert len(store.judgements(usual)[0].judgement.verdicts) == 14
    tally = JudgingPass(store, SPEC, backend).judge_missing()
    assert (tally.scored, tally.already_judged) == (0, 2)


def test_one_rubric_for_all_wins_over_the_scenarios(store: Store, tmp_path: Path) -> None:
    (tmp_path / "wit.yaml").write_text(WIT)
    fill(store, "One.")
    spec = SPEC.model_copy(update={"rubric": str(tmp_path / "wit.yaml")})
    tally = JudgingPass(store, spec, AnsweringBackend(Model())).judge_missing()
    assert tally.scored == 1
    assert [record.spec["rubric"]["name"] for record in store.judges()] == ["wit"]


def test_what_was_read_with_the_scenario_needs_no_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "wit.yaml").write_text(WIT)
    read = load_rubric(str(tmp_path / "wit.yaml"))
    own = Scenario(
        name="own",
        setting="A bar.",
        seats=lamp_scenario().seats,
        rubric="wit.yaml",
        own_rubric=read,
    )
    (special,) = fill(store, "Two.", run="b", scenario=own)
    assert store.scenario(own.id) == own
    tally = JudgingPass(store, SPEC, AnsweringBackend(Model())).judge_missing()
    assert (tally.scored, tally.missing_rubrics) == (1, ())
    (judgement,) = store.judgements(special)
    assert judgement.judgement.rubric_id == read.id
    plain = replace(own, rubric="sotopia", own_rubric=None)
    fill(store, run="b", scenario=plain)  # the details given last count
    assert store.scenario(own.id) == plain


def test_a_lost_rubric_leaves_its_scenarios_unjudged_and_the_rest_is_judged(store: Store) -> None:
    lost = Scenario(name="lost", setting="A bar.", seats=lamp_scenario().seats, rubric="gone.yaml")
    fill(store, "One.", "Two.", scenario=lost)
    (usual,) = fill(store, "Three.", run="b")
    backend = AnsweringBackend(Model())
    tally = JudgingPass(store, SPEC, backend).judge_missing()
    assert (tally.scored, tally.failed, tally.already_judged, tally.remaining) == (1, 0, 0, 2)
    (line,) = map(str, tally.missing_rubrics)
    assert line.startswith(
        "scenario 'lost': no rubric file gone.yaml; looked in .; with simworld comes sotopia, and "
    )
    assert "`simworld rubric new NAME` writes one of your own; its episodes stay unjudged" in line
    assert len(store.judgements(usual)) == 1
    asked = len(backend.asked)
    tally = JudgingPass(store, SPEC, backend).judge_missing()
    assert (tally.scored, tally.already_judged, tally.remaining, len(tally.missing_rubrics)) == (
        0,
        1,
        2,
        1,
    )
    assert len(backend.asked) == asked


def test_a_name_that_is_no_rubric_is_told_with_what_was_meant(store: Store) -> None:
    fill(store, "One.", scenario=lamp_scenario("sotopa"))
    backend = AnsweringBackend(Model())
    (line,) = map(str, JudgingPass(store, SPEC, backend).judge_missing().missing_rubrics)
    assert "did you mean 'sotopia'" in line
    assert backend.asked == []


def test_an_interrupt_keeps_what_is_done_and_the_next_pass_goes_on(store: Store) -> None:
    fill(store, *(f"Text {i}." for i in range(6)))
    model = Model()

    def until_three(request: Request) -> Completion:
        if sum(len(store.judgements(s.id)) for s in store.episode_summaries()) >= 3:
            raise KeyboardInterrupt
        return model(request)

    judging = JudgingPass(store, SPEC, AnsweringBackend(until_three))
    with pytest.raises(KeyboardInterrupt):
        judging.judge_missing(max_live=2)
    assert (judging.tally.scored, judging.tally.remaining) == (3, 3)
    tally = JudgingPass(store, SPEC, AnsweringBackend(model)).judge_missing()
    assert (tally.scored, tally.already_judged) == (3, 3)
    assert all(len(store.judgements(s.id)) == 1 for s in store.episode_summaries())


def test_an_empty_store(store: Store) -> None:
    tally = JudgingPass(store, SPEC, AnsweringBackend(Model())).judge_missing()
    assert (tally.scored, tally.failed, tally.already_judged) == (0, 0, 0)
