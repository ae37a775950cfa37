"""Contrasting pairs: how rows become episodes, and what a judge's record on them says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenarios.rubrics import load_rubric
from simworld.core.episode import ActionKind
from simworld.core.errors import Failure, InputError
from simworld.core.protocols import Backend
from simworld.core.requests import ChatPrompt, Completion, Generate, Request, Score, TextPrompt
from simworld.core.scenario import Relationship
from simworld.judging.contrast_pairs import (
    ContrastPair,
    PairEpisodes,
    PairSet,
    load_pairs,
    parse_transcript,
    shipped_pairs,
)
from simworld.judging.judge_check import check_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.transcript import make_judge_transcript
from simworld.stats.intervals import wilson_interval
from tests.factories.judging import AnsweringBackend, generated_reply, scored_reply
from tests.factories.losing_backend import LosingBackend

RUBRIC = load_rubric("sotopia")
STATEMENTS = JudgeSpec(name="s", model="builtin:m", method="statements")


def pair(
    better: str = "Ann: good", worse: str = "Ann: bad", dimension: str = "goal", **more: str
) -> ContrastPair:
    row = {
        "setting": "A room",
        "seat": "Ann",
        "goal": "Win",
        "dimension": dimension,
        "better": better,
        "worse": worse,
    }
    return ContrastPair.model_validate(row | more)


def likes_good(request: Request) -> Completion:
    """Log-odds of +1 per `good` in the prompt; fails on `broken`."""
    assert isinstance(request, Score)
    assert isinstance(request.prompt, TextPrompt)
    text = request.prompt.text
    if "broken" in text:
        return Failure(boundary="model", kind="too-long", message="")
    high = {
        t.replace("{name}", "Ann").replace("{goal}", "Win")
        for d in RUBRIC.dimensions
        for t in d.high_statements
    }
    return scored_reply(
        request, lambda prompt, c: float(prompt.count("good")) - 5 if c.strip() in high else -5.0
    )


def test_a_row_becomes_a_scenario_and_episodes() -> None:
    row = pair(
        "Ann: I want it.\nMr Ray: *nods*\nAnn: Good: then\nsign here.\n",
        "Ann: I want it.\nEve (to Ann): No.",
        secret="She lies.",
        knows="It is old.",
        relationship="friend",
    )
    scene = PairEpisodes(pair=row)
    assert scene.speakers == ("Ann", "Mr Ray", "Eve")
    reading = make_judge_transcript(scene.scenario, scene.episode(row.better))
    assert reading.lines == ("Ann: I want it.", "Mr Ray: *nods*", "Ann: Good: then sign here.")
    assert scene.episode(row.better).acts[1].action.kind is ActionKind.non_verbal
    assert (
        make_judge_transcript(scene.scenario, scene.episode(row.worse)).lines[1]
        == "Eve (to Ann alone): No."
    )
    assert scene.scenario.relationship("Mr Ray", "Ann") is Relationship.friend
    assert reading.context(("setting", "goal", "knows", "secret")) == (
        "A room\n\nAnn's goal: Win\nWhat Ann knows: It is old.\nAnn's secret: She lies."
    )


def test_a_relationship_in_words_is_a_note_to_the_judge() -> None:
    scene = PairEpisodes(pair=pair(relationship="landlord and tenant"))
    assert scene.scenario.relationships == {}
    assert scene.scenario.judge_note == "Relationship: landlord and tenant"


@pytest.mark.parametrize("seat", ["Ann", "ann", "Ann Lee"])
def test_the_seat_is_found_among_the_speakers(seat: str) -> None:
    assert PairEpisodes(pair=pair("Bob: Hi\nAnn: Hi", seat=seat)).seat == "Ann"


def test_a_silent_seat_stays() -> None:
    assert PairEpisodes(pair=pair("Bob: Hi", "Bob: Ho")).speakers == ("Ann", "Bob")


def test_text_before_any_name_is_ignored() -> None:
    assert parse_transcript("(later)\nAnn: a\n\n  b") == [("Ann", "", "a b")]


def test_the_record_counts_ties_half_and_leaves_failures_out() -> None:
    pairs = (
        pair("Ann: good", "Ann: bad bad"),  # right; longer says wrong
        pair("Ann: good good", "Ann: good"),  # right; longer right
        pair("Ann: bad", "Ann: good"),  # wrong; longer says wrong
        pair("Ann: bad", "Ann: sad"),  # a tie; as long
        pair("Ann: broken", "Ann: bad"),  # not judged
        pair("Ann: good", "Ann: bad.", dimension="knowledge"),  # right; longer says: as long
    )
    backend = AnsweringBackend(likes_good)
    seen: list[tuple[int, int]] = []
    trust = check_judge(
        STATEMENTS,
        backend,
        RUBRIC,
        [PairSet(name="x", pairs=pairs)],
        on_progress=lambda *p: seen.append(p),
    )
    goal = trust.by_dimension["goal"]
    assert (goal.n, goal.failed, goal.ties, goal.accuracy, goal.longer_wins) == (
        4,
        1,
        1,
        2.5 / 4,
        1.5 / 4,
    )
    assert (goal.low, goal.high) == wilson_interval(2.5, 4)
    data = json.loads(json.dumps(trust.to_json()))
    assert data["n"] == 5
    assert data["accuracy"] == pytest.approx(3.5 / 5)
    assert data["by_dimension"]["knowledge"]["accuracy"] == 1.0
    assert "by_set" not in data
    assert seen[-1] == (12, 12)


def test_sets_are_reported_apart_too() -> None:
    sets = [
        PairSet(name="dev", pairs=(pair(),)),
        PairSet(name="test", pairs=(pair("Ann: bad", "Ann: good"),)),
    ]
    data = check_judge(STATEMENTS, AnsweringBackend(likes_good), RUBRIC, sets).to_json()
    assert data["accuracy"] == 0.5
    assert {name: part["accuracy"] for name, part in data["by_set"].items()} == {
        "dev": 1.0,
        "test": 0.0,
    }


@pytest.mark.parametrize(
    "backend",
    [
        AnsweringBackend(lambda request: Failure(boundary="model", kind="http-500", message="")),
        LosingBackend(),
    ],
)
def test_a_judge_that_always_fails_has_no_accuracy(backend: Backend) -> None:
    data = check_judge(STATEMENTS, backend, RUBRIC, [PairSet(name="x", pairs=(pair(),))]).to_json()
    assert (data["n"], data["failed"], data["accuracy"], data["interval"]) == (0, 1, None, None)


@pytest.mark.parametrize("one_call", [False, True])
def test_a_server_is_asked_as_it_would_be_for_stored_episodes(one_call: bool) -> None:
    def answer(request: Request) -> Completion:
        assert isinstance(request, Generate)
        assert isinstance(request.prompt, ChatPrompt)
        assert request.json_schema is not None
        asked = request.json_schema["properties"]["Ann"]["properties"]
        assert (set(asked) == {"goal"}) is not one_call
        good = "Ann: good" in request.prompt.messages[-1].content
        best = {name: max(about["properties"]["score"]["enum"]) for name, about in asked.items()}
        value = {
            name: {"reason": "so", "score": score - (not good)} for name, score in best.items()
        }
        return generated_reply(json.dumps({"Ann": value}))

    spec = JudgeSpec(name="s", model="openai:m@u", method="server", one_call=one_call)
    trust = check_judge(
        spec, AnsweringBackend(answer), RUBRIC, [PairSet(name="x", pairs=(pair(),))]
    )
    assert trust.overall.accuracy == 1.0
    assert trust.outcomes[0].better == 10


def test_a_dimension_of_another_rubric_is_refused() -> None:
    with pytest.raises(InputError, match="unknown dimension 'gaol'; did you mean 'goal'"):
        check_judge(
            STATEMENTS,
            AnsweringBackend(likes_good),
            RUBRIC,
            [PairSet(name="x", pairs=(pair(dimension="gaol"),))],
        )


def test_the_shipped_pairs_are_complete() -> None:
    counts: dict[str, dict[str, int]] = {}
    for part in shipped_pairs():
        for row in part.pairs:
            by = counts.setdefault(part.name, {})
            by[row.dimension] = by.get(row.dimension, 0) + 1
    names = {d.name for d in RUBRIC.dimensions}
    assert set(counts) == {"dev", "test"}
    assert all(set(by) == names and min(by.values()) >= 6 for by in counts.values())
    assert all(sum(by.get(name, 0) for by in counts.values()) >= 12 for name in names)


def test_every_problem_of_a_pairs_file_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "- {setting: s, seat: Ann, gaol: g, dimension: goal, better: 'Ann: a', worse: 'Ann: b'}\n"
        "- {setting: s, seat: Ann, goal: g, dimension: goal, better: 'Ann: a'}\n"
    )
    with pytest.raises(InputError) as error:
        load_pairs(path)
    first, second = map(str, error.value.problems)
    assert "p.yaml:1:27" in first
    assert "did you mean 'goal'" in first
    assert "p.yaml:2:3" in second
    assert "worse" in second


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "hello"])
def test_a_file_that_is_no_list_of_pairs(text: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="expected a list of pairs"):
        load_pairs(path)
