"""`simworld.evaluate`: the command's job, for Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import simworld
from simworld import InputError, ScriptedSpec
from simworld.cli import cli

WHERE = {"scenarios": "k*.yaml", "partners": "mute.yaml", "quality": 0}


def test_one_agent_against_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = simworld.evaluate(
        "polite.yaml",
        "rude.yaml",
        scenarios="k*.yaml",
        partners="mute.yaml",
        lexical="(?i)please",
        quality=0,
        require=["steered>base", "base>steered"],
    )
    assert capsys.readouterr() == ("", "")
    frame = done.frame()
    assert list(frame["first"]) == ["steered"]
    # each seat speaks twice and says please once: .5 against 0 in each of three families
    assert list(frame["difference"]) == [0.5]
    assert (frame["pairs"][0], frame["families"][0]) == (6, 3)
    assert [outcome.holds for outcome in done.outcomes] == [False, False]  # p is not below .05
    assert not done.holds
    assert "  steered: 0.5 (6 seats, 0 failed, 0 unscored)" in str(done).splitlines()
    assert "  steered less base: +0.5 [+0.5, +0.5], sign-flip p 0.25 (6 pairs, 3 families)" in str(
        done
    )
    assert "Note: 3 families: fewer than 20, so p and interval are rough" in str(done)
    assert "does not hold: base>steered" in str(done)
    assert (done.failed, done.failures, done.judge_ids) == (0, (), ())
    assert "<table" in done._repr_html_()


def test_the_command_and_python_play_one_evaluation(folder: Path) -> None:
    ran = CliRunner().invoke(
        cli,
        [
            *("evaluate", "--agents", "base=rude.yaml,steered=polite.yaml"),
            *("--scenarios", "k*.yaml", "--partners", "mute.yaml"),
            *("--lexical", "please", "--quality", "0"),
        ],
    )
    assert ran.exit_code == 0, ran.output
    with simworld.connect("x.db") as analysis:
        (before,) = analysis.runs()["episodes"]
    simworld.evaluate("polite.yaml", "rude.yaml", lexical="please", **WHERE)  # type: ignore[arg-type]
    with simworld.connect("x.db") as analysis:
        assert list(analysis.runs()["episodes"]) == [before]


def test_several_others_and_a_judge(folder: Path) -> None:
    kind = ScriptedSpec(name="kind", kind="scripted", lines=("Please sit.", "Well."))
    done = simworld.evaluate(kind, ["rude.yaml", "mute.yaml"], judge="j.yaml", **WHERE)  # type: ignore[arg-type]
    assert list(done.evaluation.arms) == ["rude", "mute", "steered"]
    assert done.evaluation.main == "overall"
    assert len(done.judge_ids) == 2  # for the default rubric, of which nothing is, and for r
    frame = done.frame().set_index(["first", "second", "measure"])
    # 8 against 4 of 10 for the goal, nothing for manners
    assert frame.loc[("steered", "rude", "overall"), "difference"] == pytest.approx(0.2)
    assert frame.loc[("steered", "mute", "overall"), "difference"] == pytest.approx(0.2)
    assert frame.loc[("mute", "rude", "overall"), "difference"] == pytest.approx(0)
    named = simworld.evaluate(
        kind,
        {"base": "rude.yaml", "silent": "mute.yaml"},
        judge="j.yaml",
        name=done.run,
        **WHERE,  # type: ignore[arg-type]
    )
    assert list(named.evaluation.arms) == ["base", "silent", "steered"]


def test_everything_wrong_is_told_at_once(folder: Path) -> None:
    with pytest.raises(InputError) as error:
        simworld.evaluate(
            "polite.yaml",
            {"steered": "rude.yaml"},
            scenarios=[],
            partners=[],
            repeats=0,
            seats="third",  # type: ignore[arg-type]
            quality=-1,
        )
    lines = str(error.value).splitlines()
    assert lines[0] == "against: the arm 'steered' is the agent's own; call it otherwise"
    assert [line.partition(":")[0] for line in lines[1:5]] == [
        "nothing to compare by; give judge, lexical, like, reward_of or measures",
        "repeats",
        "seats",
        "quality",
    ]
    assert len(lines) == 8  # one arm, no partner, no scenario
    with pytest.raises(InputError, match="--lexical and --like are 2 measures"):
        simworld.evaluate("polite.yaml", "rude.yaml", lexical="a", like="b", **WHERE)  # type: ignore[arg-type]
