"""`simworld train inspect` and `export`, as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from simworld.cli import cli
from simworld.core.errors import InputError
from tests.factories.steered_runs import judge, new_store, play, scenario, step

LINES = ("Hello.", "Hi.", "40 euros.", "No.", "30?")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_store(tmp_path) as store:
        for name in ("lamp", "chair"):
            for repeat, goal in enumerate((0.25, 0.75)):
                judge(
                    store,
                    play(store, scenario(name), LINES[: 5 - 2 * repeat], repeat=repeat),
                    goal,
                    goal,
                )
    return tmp_path


def train(folder: Path, *arguments: str) -> Result:
    where = ["--db", str(folder / "world.db"), "--datasets", str(folder / "sets")]
    return CliRunner().invoke(cli, ["train", *arguments, *where])


def said(result: Result) -> str:
    assert isinstance(result.exception, InputError)
    return str(result.exception)


def test_inspect_prints_a_table(folder: Path) -> None:
    result = train(folder, "inspect")
    assert result.exit_code == 0, result.output
    for part in (
        "10 of 4 seats in 4 episodes",
        "turn_limit 4",
        "2: chair 5, lamp 5",
        "judged (j1), end, centred by family",
        "unknown: nothing was judged twice",
        "on held-out families (n 4, 2 families, 2 folds)",
        "-0.2500",
    ):
        assert part in result.output
    assert str(folder / "sets") in result.output


def test_a_finished_dataset_is_inspected_without_a_store(folder: Path) -> None:
    train(folder, "inspect", "--lexical", "euros")
    (dataset,) = (folder / "sets").iterdir()
    arguments = ["train", "inspect", "--data", str(dataset), "--db", str(folder / "none.db")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "lexical (euros), utterance, centred by family" in result.output


def test_policies_need_ways_and_rewards_that_tell_acts_apart(folder: Path) -> None:
    text = said(train(folder, "inspect", "--policies"))
    assert text == (
        "policies are compared by rewards that tell acts apart; this one is placed at end"
    )
    text = said(train(folder, "inspect", "--policies", "--lexical", "euros"))
    assert "policies are compared over" in text


def test_policies_by_ways_and_situations(tmp_path: Path) -> None:
    """Ten families, two ways: the one that says please, and the other."""
    with new_store(tmp_path) as store:
        for number in range(20):
            said_please = [(number + turn) % 2 == 0 for turn in range(2)]
            plans = {
                2 * turn: step(2 * turn, action=(1.0, 1.0) if please else (1.0, -1.0))
                for turn, please in enumerate(said_please)
            }
            lines = [
                "Please." if said_please[0] else "Now.",
                "No.",
                "Please." if said_please[1] else "?",
            ]
            play(store, scenario(f"thing {number % 10}"), lines, repeat=number, plans=plans)
    result = train(tmp_path, "inspect", "--policies", "--lexical", "Please", "--no-centre")
    assert result.exit_code == 0, result.output
    for part in (
        "Policies over 2 ways, in deviations of the reward, cross-fitted over 10 families",
        "best constant, ways mixed",
        "best way in each situation",
        "state × action, beyond both",
        "What each way brings in each situation",
    ):
        assert part in result.output
    reward = ["--lexical", "Please", "--no-centre"]
    told = train(tmp_path, "inspect", "--policies", "--json", *reward).stdout
    policies = json.loads(told)["policies"]
    # every Please pays ½, half of the acts say it, so a reward of ½ is two deviations of ¼
    assert policies["best_way"] == pytest.approx(2, abs=0.1)
    assert policies["by_action"]["p"] == 0.005
    assert policies["by_action"]["r2"] > 0.9
    assert sum(cell["n"] for cell in policies["table"]) == 40
    assert policies["by_situation"]["gain"]["mean"] == pytest.approx(0, abs=0.1)
    assert {"value", "se", "gain", "acts_needed"} == policies["best_constant"].keys()


def test_inspect_for_programs(folder: Path) -> None:
    options = ["--lexical", "euros", "--scenario", "lamp", "--no-centre", "--since", "2026-11-24"]
    found = json.loads(train(folder, "inspect", "--json", *options).stdout)
    assert found["transitions"] == 2
    assert found["meta"]["query"]["since"] == "2026-11-24T00:00:00Z"
    assert found["rewards"]["mean"] == 0.25
    assert found["warnings"] == [
        (
            "one family only, 'lamp': nothing can be held out, and what is learned may hold nowhere"
            " else"
        ),
        "all scores are equal: there is nothing to prefer",  # there is one
    ]


def test_an_npz_is_written_once(folder: Path) -> None:
    out = folder / "data.npz"
    assert "Wrote 10 transitions" in train(folder, "export", "--out", str(out)).output
    with np.load(out) as found:
        assert found["states"].shape == (10, 3)
    assert "exists; give another --out" in said(train(folder, "export", "--out", str(out)))
    assert (
        train(folder, "export", "--out", str(out), "--force", "--place", "uniform").exit_code == 0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--run", "none"], "no run 'none' in this database; there are "),
        (["--weight", "goal"], "--weight goal: expected DIMENSION=NUMBER, as in goal=2"),
        (["--weight", "gaol=1"], "judge j1 knows no dimension gaol; it has goal, tone"),
        (["--weight", "goal=-1"], "--weight: weights are finite numbers of at least 0"),
        (["--lexical", "("], "--lexical: not a valid regular expression"),
        (["--lexical", "x", "--like", "y"], "--lexical and --like: give one of them"),
        (
            ["--lexical", "x", "--place", "prefixes"],
            "reward: place 'prefixes' does not go with 'lexical'",
        ),
        (["--place", "attributed"], "simworld judge attribute --method attributed makes them"),
    ],
)
def test_mistakes_are_one_line(folder: Path, options: list[str], message: str) -> None:
    text = said(train(folder, "inspect", *options))
    assert message in text
    assert "\n" not in text
