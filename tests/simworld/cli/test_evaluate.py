"""`simworld evaluate` from the outside: what it prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents import ScriptedAgent
from simworld.cli.evaluate import evaluate
from simworld.core.episode import Observation
from simworld.core.errors import InputError
from simworld.core.protocols import ActGenerator

SCENE = """\
name: kitchen-{n}
setting: A kitchen in the evening, number {n}.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help with the dishes.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for n in range(6):
        (tmp_path / f"k{n}.yaml").write_text(SCENE.format(n=n))
    for name, line in {"rude": "Go away.", "polite": "Please come in.", "mute": "Hm."}.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nkind: scripted\nlines: [{line}, Well.]\n"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARMS = (
    "--agents",
    "base=rude.yaml,steered=polite.yaml",
    "--scenarios",
    "k*.yaml",
    "--partners",
    "mute.yaml",
)
MEASURE = ("--lexical", "(?i)please", "--quality", "0", "--db", "x.db")


def call(*args: str) -> Result:
    return CliRunner().invoke(evaluate, args)


def test_the_report_and_the_gate(folder: Path) -> None:
    done = call(*ARMS, *MEASURE, "--json", "--require", "steered>base")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    (comparison,) = report["comparisons"]
    lexical = comparison["measures"]["lexical"]
    # Each seat speaks twice and says please once: .5 against 0 in each of six families, so z is not
    # defined; 2 / 2 ** 6.
    assert (lexical["mean"], lexical["z"], lexical["sign_p"]) == (0.5, None, 0.03125)
    assert (lexical["pairs"], lexical["cells"], lexical["families"]) == (12, 12, 6)
    assert report["requirements"][0]["holds"] is True
    assert report["arms"]["steered"]["levels"]["lexical"]["mean"] == 0.5
    assert report["base"] == "base"
    # twelve lines of 24: come, in and please; Well is what they share
    assert [
        (word["token"], word["n"], word["base_n"]) for word in report["traits"]["steered"]["words"]
    ] == [
        ("come", 12, 0),
        ("in", 12, 0),
        ("please", 12, 0),
        ("away", 0, 12),
        ("go", 0, 12),
    ]
    assert report["traits"]["steered"]["ways"] == []
    assert (report["arms"]["base"]["planned"], report["arms"]["base"]["failed_share"]) == (12, 0.0)


def test_a_requirement_that_does_not_hold_is_exit_code_1(folder: Path) -> None:
    done = call(*ARMS, *MEASURE, "--require", "base>steered")
    assert done.exit_code == 1
    assert "base>steered does not hold: difference -0.5" in done.stdout
    assert call(*ARMS, *MEASURE, "--require", "steered>base:lexical:p<0.01").exit_code == 1
    assert call(*ARMS, *MEASURE).exit_code == 0  # nothing is required


def test_tables_for_people(folder: Path) -> None:
    done = call(*ARMS, *MEASURE)
    assert "steered less base" in done.stdout
    assert "+0.500" in done.stdout
    assert "What they say more and less often than base" in done.stdout
    assert "more words" in done.stdout
    assert "please +2." in done.stdout
    assert "6 families: fewer than 20" in done.stderr


def test_what_failed_is_told_with_its_seat_and_agent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = ScriptedAgent.act

    def broken(agent: ScriptedAgent, observation: Observation) -> ActGenerator:
        if observation.label == "Bo" and "number 3" in observation.setting:
            raise RuntimeError("no idea")
        return act(agent, observation)

    monkeypatch.setattr(ScriptedAgent, "act", broken)
    done = call(*ARMS, *MEASURE)
    assert "  failed 2 times: guest (mute): agent: error: RuntimeError: no idea" in done.stderr
    assert "  failed: guest (polite): agent: error: RuntimeError: no idea" in done.stderr


def test_seats(folder: Path) -> None:
    report = json.loads(
        call(*ARMS, *MEASURE, "--seats", "second", "--repeats", "2", "--json").stdout
    )
    assert report["arms"]["base"]["planned"] == 12  # six scenarios, one seat, two repeats
    assert report["comparisons"][0]["measures"]["lexical"]["cells"] == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--agents": "base=rude.yaml"}, "1 arm is given; a comparison needs two"),
        ({"--agents": "base=rude.yaml,steered=polit.yaml"}, "no agent 'polit.yaml'"),
        (
            {"--agents": "base=rude.yaml,polite.yaml"},
            "--agents 'polite.yaml' is not understood; write ARM=AGENT",
        ),
        ({"--agents": "base=rude.yaml,base=polite.yaml"}, "names the arm 'base' twice"),
        ({"--scenarios": "q*.yaml"}, "q*.yaml: no YAML file matches"),
        ({"--scenarios": ","}, "no scenario is given"),
        ({"--partners": "nobody"}, "no agent 'nobody'"),
        ({"--partners": ","}, "no partner is given"),
        ({"--lexical": "("}, "not a valid regular expression"),
        (
            {"--judge": "smol-statments"},
            "no judge named 'smol-statments'; did you mean 'smol-statements'?",
        ),
        ({"--require": "steerd>base"}, "no arm 'steerd'; did you mean 'steered'?"),
        ({"--require": "steered>base:goal"}, "no measure 'goal'; there are lexical"),
        ({"--like": "be kind"}, "--lexical and --like are 2 measures; give one of them"),
    ],
)
def test_bad_input(folder: Path, changed: dict[str, str], message: str) -> None:
    options = (
        dict(zip(ARMS[::2], ARMS[1::2], strict=True))
        | {"--lexical": "please", "--db": "y.db"}
        | changed
    )
    done = call(*(part for option in options.items() for part in option))
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert not (folder / "y.db").exists()


def test_nothing_to_compare_by(folder: Path) -> None:
    done = call(*ARMS)
    assert isinstance(done.exception, InputError)
    assert "use --judge, --lexical, --like, --reward-of or --measure" in str(done.exception)


def test_the_reward_of_a_planner(folder: Path) -> None:
    """The rules of the shipped planner: times in the first half, thanks in the second; both arms
    say nothing of the kind, and so differ by little.
    """
    args = (*ARMS, "--reward-of", "smol-when-to-thank", "--quality", "0", "--db", "x.db", "--json")
    measures = json.loads(call(*args).stdout)["comparisons"][0]["measures"]
    assert list(measures) == ["rules", "rule 1", "rule 2"]
    total = measures["rule 1"]["mean"] + measures["rule 2"]["mean"]
    assert measures["rules"]["mean"] == pytest.approx(total)


@pytest.mark.parametrize(
    ("planner", "message"),
    [
        (
            "planners/nobody",
            "'planners/nobody' is neither the folder of a checkpoint nor a steered",
        ),
        ("smol-script", "agent 'smol-script' has no planner; give a steered agent, or a folder"),
        ("smol-judged", "this planner was rewarded by a judge's scores; give --judge"),
    ],
)
def test_a_planner_whose_reward_is_not_to_be_had(folder: Path, planner: str, message: str) -> None:
    done = call(*ARMS, "--reward-of", planner)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_everything_wrong_comes_at_once_with_exit_code_2(folder: Path) -> None:
    command = [
        "evaluate",
        "--agents",
        "a=nobody",
        "--scenarios",
        "none.yaml",
        "--partners",
        "mute.yaml",
        "--lexical",
        "(",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "simworld", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for part in (
        "1 arm is given",
        "no agent 'nobody'",
        "none.yaml",
        "not a valid regular expression",
    ):
        assert part in done.stderr


def test_a_changed_agent_is_refused(folder: Path) -> None:
    call(*ARMS, *MEASURE)
    (folder / "polite.yaml").write_text(
        "name: polite\nkind: scripted\nlines: [Please sit., Well.]\n"
    )
    done = call(*ARMS, *MEASURE)
    assert isinstance(done.exception, InputError)
    assert "polite" in str(done.exception)
