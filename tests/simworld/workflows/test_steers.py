"""Does steering steer? The shipped experiment in full, on the built-in model: an hour and a half on two cores."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * 3600)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("thanks")
    args = ["learn", "thanks", "--db", str(folder / "x.db"), "--work", str(folder / "work"), "--live", "64"]
    ran = CliRunner().invoke(cli, args, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    (path,) = (folder / "work").glob("evaluate-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("control", ["clone", "random"])
def test_the_planner_beats_its_controls_on_families_never_seen(report: dict[str, Any], control: str) -> None:
    (found,) = (c for c in report["comparisons"] if (c["first"], c["second"]) == ("planner", control))
    measured = found["measures"]["embedding"]
    assert measured["families"] == 32
    assert measured["z"] > 4


def test_the_planner_keeps_its_language(report: dict[str, Any]) -> None:
    perplexity = {arm: values["quality"]["perplexity"] for arm, values in report["arms"].items()}
    assert perplexity["planner"] < 1.15 * perplexity["base"]
