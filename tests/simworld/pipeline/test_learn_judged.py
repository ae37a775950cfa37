"""Loops that a judge rewards: by whom exactly, what it could not say, and what another judge does
not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.errors import Failure, InputError
from simworld.core.scenario import Scenario
from simworld.judging.attribution import AttributionGenerator, attribute_utterances
from simworld.judging.judge import Judge
from tests.factories.pipelines import FILE, call, failed, skipped

RUBRIC = """\
name: one
dimensions:
  - {name: goal, range: [0, 10], question: 'Did {name} win?', statements: [{high: '{name} won.', low: '{name} lost.'}]}
"""


def judged_loop(folder: Path, model: Path, place: str, ask: str = "Outcome:") -> None:
    judge = (
        f"name: strict\nmodel: hf:{model}\ndtype: float32\nmethod: statements\nrubric:"
        f" one.yaml\nask: '{ask}'\n"
    )
    (folder / "strict.yaml").write_text(judge)
    (folder / "one.yaml").write_text(RUBRIC)
    reward = f"{{measure: judged, weights: {{goal: 1}}, place: {place}}}\njudge: strict.yaml"
    text = FILE.replace("{measure: lexical, pattern: '[a-z]'}", reward).replace(
        "clone: {", "clone: null #"
    )
    (folder / "loop.yaml").write_text(
        text.replace("{quality: 0}", "{quality: 0, arms: [base, planner], seats: first}")
    )


def test_a_judged_loop_judges_what_was_collected_and_what_is_compared(
    folder: Path, model: Path
) -> None:
    judged_loop(folder, model, "uniform")
    (found,) = call()
    assert [name for name in skipped(found) if name in ("judge", "constant", "clone")] == ["judge"]
    report = found["report"]
    assert report["main"] == "overall"
    assert "goal" in report["comparisons"][0]["measures"]
    assert report["arms"]["planner"]["planned"] == 2
    assert report["judges"][0].startswith("strict@")
    assert all(skipped(call()[0]).values())


def test_another_judge_of_the_run_changes_nothing_and_a_judge_that_is_edited_judges_again(
    folder: Path, model: Path
) -> None:
    judged_loop(folder, model, "uniform")
    (first,) = call()
    (run_name,) = {
        stage["stage"] for stage in first["stages"] if stage["stage"].startswith("collect")
    }
    (folder / "other.yaml").write_text(
        (folder / "strict.yaml").read_text().replace("name: strict", "name: other")
    )
    more = CliRunner().invoke(
        cli, ["judge", "run", "--judge", "other.yaml", "--run", f"tiny-{run_name}", "--db", "x.db"]
    )
    assert more.exit_code == 0, more.output
    assert all(skipped(call()[0]).values())
    # the same name, so the run has two judges of that name
    judged_loop(folder, model, "uniform", ask="In the end:")
    (edited,) = call()
    assert [name for name, before in skipped(edited).items() if not before] == [
        "judge",
        "dataset",
        "train",
        "evaluate",
    ]
    assert all(skipped(call()[0]).values())


def test_utterances_that_a_judge_could_not_weigh_are_asked_about_again_when_told(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def broken(judge: Judge, method: str, scenario: Scenario, *rest: Any) -> AttributionGenerator:
        asked.append(scenario.name)
        if scenario.name in wrong:
            return Failure(boundary="judge", kind="answer", message="no word")
        return (yield from attribute_utterances(judge, method, scenario, *rest))

    monkeypatch.setattr("simworld.judging.attribution_pass.attribute_utterances", broken)
    judged_loop(folder, model, "attributed")
    wrong = {"chair", "boat", "hat", "dog"}
    with pytest.raises(
        InputError,
        match=r"could tell of none of the 8 judged episodes .*what an utterance was worth.*no word",
    ):
        call()
    wrong = {"hat"}
    (first,) = call()
    assert failed(first)["judge"] == 2
    (planner,) = folder.glob(f"{first['planner']}/planner.json")
    rows = json.loads(planner.read_text())["data"]["rows"]
    assert all(skipped(call()[0]).values())
    wrong, asked[:] = set(), []
    (again,) = call("--retry-failed")
    assert (asked, failed(again)) == (["hat", "hat"], {})
    assert [name for name, before in skipped(again).items() if not before] == [
        "judge",
        "dataset",
        "train",
        "evaluate",
    ]
    (planner,) = folder.glob(f"{again['planner']}/planner.json")
    assert json.loads(planner.read_text())["data"]["rows"] > rows


def test_a_judge_that_scores_nothing_stops_the_loop(folder: Path, model: Path) -> None:
    (folder / "bare.yaml").write_text(
        "name: bare\ndimensions:\n  - {name: d, range: [0, 1], question: q}\n"
    )
    # no statements
    judge = (
        f"name: strict\nmodel: hf:{model}\ndtype: float32\nmethod: statements\nrubric: bare.yaml\n"
    )
    (folder / "strict.yaml").write_text(judge)
    reward = "{measure: judged}\njudge: strict.yaml"
    text = FILE.replace("{measure: lexical, pattern: '[a-z]'}", reward).replace(
        "clone: {", "clone: null #"
    )
    (folder / "loop.yaml").write_text(text)
    with pytest.raises(InputError, match="judge 'strict' scored none of the 8 episodes"):
        call()
