"""Does steering steer? The shipped experiment in full, on the built-in model: more than an hour on two cores."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * 3600)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("steers")
    ran = CliRunner().invoke(
        cli, ["learn", "steers", "--db", str(folder / "x.db"), "--work", str(folder / "work")], catch_exceptions=False
    )
    assert ran.exit_code == 0, ran.output
    (path,) = (folder / "work").glob("evaluate-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def difference(report: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    (found,) = (c for c in report["comparisons"] if (c["first"], c["second"]) == (first, second))
    measured: dict[str, Any] = found["measures"]["embedding"]
    assert measured["families"] >= 20
    return measured


def perplexity(report: dict[str, Any], arm: str) -> float:
    found: float = report["arms"][arm]["quality"]["perplexity"]
    return found


def test_the_planner_beats_the_clone_and_random_directions(report: dict[str, Any]) -> None:
    for control in ("clone", "random"):
        assert difference(report, "planner", control)["z"] > 4, control


def test_the_planner_keeps_the_language(report: dict[str, Any]) -> None:
    assert perplexity(report, "planner") < 1.15 * perplexity(report, "base")
