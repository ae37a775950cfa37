"""Does steering steer? The shipped planner at a small size, and the shipped experiments: those of an
hour in full, those of hours in a small version that goes through all of their stages."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from simworld.cli import cli
from simworld.pipeline.learn.shipped_files import open_learn_file

THANKS = "Thank you so much, I really appreciate your help."
HELD_OUT = (
    "a-crack-in-the-soundboard",
    "beds-for-twelve-singers",
    "hall-until-one",
    "mushrooms-in-a-basket",
    "reference-by-telephone",
    "sofa-for-three-weeks",
    "the-captains-knee",
    "whose-name-comes-first",
)


def learn(name: str, folder: Path) -> dict[str, Any]:
    """The report of a shipped loop's arms."""
    ran = CliRunner().invoke(
        cli,
        ["learn", name, "--db", str(folder / "x.db"), "--work", str(folder / "work")],
        catch_exceptions=False,
    )
    assert ran.exit_code == 0, ran.output
    (path,) = (folder / "work").glob("evaluate-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def difference(report: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    (found,) = (c for c in report["comparisons"] if (c["first"], c["second"]) == (first, second))
    measured: dict[str, Any] = found["measures"][report["main"]]
    return measured


# Thirty-two conversations. The demo plays with this planner among the short tests, and
# test_evaluate.py compares arms; here is the claim itself.
@pytest.mark.slow
@pytest.mark.model
def test_the_shipped_planner_is_more_thankful_than_the_agent_without_it(tmp_path: Path) -> None:
    """On families that it was not trained on."""
    arms = (
        "--agents",
        "base=smol-script,planner=smol-thanks",
        "--partners",
        "smol-script",
        "--like",
        THANKS,
    )
    where = (
        "--scenarios",
        ",".join(HELD_OUT),
        "--quality",
        "0",
        "--db",
        str(tmp_path / "x.db"),
        "--json",
    )
    ran = CliRunner().invoke(cli, ["evaluate", *arms, *where], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    found = difference(json.loads(ran.stdout), "planner", "base")
    assert found["families"] == 8
    assert found["mean"] > 0.02


@pytest.mark.slow
@pytest.mark.timeout(10 * 3600)
def test_a_direction_found_in_the_store_carries_over_to_families_never_seen(tmp_path: Path) -> None:
    """Seen: z 3.76, and 3.34 with a milder up-mapping."""
    found = difference(learn("steers", tmp_path), "constant", "base")
    assert found["families"] >= 20
    assert found["z"] > 2.5


@pytest.mark.slow
@pytest.mark.timeout(10 * 3600)
def test_the_planner_beats_the_clone_and_random_directions(tmp_path: Path) -> None:
    """Seen: z 10.6 and 13.7, perplexity 1.04 times the base's; 86 minutes on two cores."""
    report = learn("thanks", tmp_path)
    for control in ("clone", "random"):
        found = difference(report, "planner", control)
        assert found["families"] >= 20
        assert found["z"] > 4
    assert "constant" in report["arms"]  # stands beside it, whoever is better
    perplexity = {arm: values["quality"]["perplexity"] for arm, values in report["arms"].items()}
    assert 1 / 1.15 < perplexity["planner"] / perplexity["base"] < 1.15


@pytest.mark.slow
@pytest.mark.model
def test_a_planner_learns_in_minutes_when_to_thank(tmp_path: Path) -> None:
    """Better than the best constant action on the same data, on families of its own."""
    report = learn("when-to-thank", tmp_path)
    assert difference(report, "planner", "base")["z"] > 3
    assert difference(report, "planner", "constant")["z"] > 2


def shrink(name: str, folder: Path) -> Path:
    """A shipped learn file with a tenth of its data, and eight families to be tested on."""
    content = copy.deepcopy(open_learn_file(name).data)
    content["collect"]["repeats"] = 1
    content["replies"] = 1
    content["scenarios"]["test"] = list(HELD_OUT)
    content["evaluate"] |= {"repeats": 1, "quality": 40}
    sentences = content["evaluate"].get("prompted", {}).get("sentences")
    if sentences:  # one, for choosing among five takes longer than all the rest
        content["evaluate"]["prompted"] = {"sentences": sentences[:1]}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("name", ["propose-then-thank", "thank-or-propose", "earn-thanks"])
def test_an_experiment_of_hours_goes_through_all_its_stages(name: str, tmp_path: Path) -> None:
    """Nothing is claimed of so few acts but that every arm has played, and is compared."""
    report = learn(str(shrink(name, tmp_path)), tmp_path)
    asked = open_learn_file(name).data["evaluate"]["arms"]
    assert list(report["arms"]) == asked
    assert all(arm["failed_share"] < 0.1 for arm in report["arms"].values())
    compared = {(c["first"], c["second"]) for c in report["comparisons"]}
    assert {("planner", arm) for arm in asked if arm != "planner"} <= compared
    assert set(report["comparisons"][0]["measures"]) >= {"rules", "rule 1"}
