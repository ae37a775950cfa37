"""Does steering steer? The shipped experiments in full, on the built-in model: one hour, and four or five, on one core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(10 * 3600)]


def learn(name: str, folder: Path) -> dict[str, Any]:
    """The report of a shipped loop's arms."""
    ran = CliRunner().invoke(
        cli, ["learn", name, "--db", str(folder / "x.db"), "--work", str(folder / "work")], catch_exceptions=False
    )
    assert ran.exit_code == 0, ran.output
    (path,) = (folder / "work").glob("evaluate-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def difference(report: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    (found,) = (c for c in report["comparisons"] if (c["first"], c["second"]) == (first, second))
    measured: dict[str, Any] = found["measures"][report["main"]]
    assert measured["families"] >= 20
    return measured


def test_a_direction_found_in_the_store_carries_over_to_families_never_seen(tmp_path: Path) -> None:
    """Seen once: z 3.76."""
    assert difference(learn("steers", tmp_path), "constant", "base")["z"] > 2.5


@pytest.mark.xfail(strict=True, reason="the aim, not reached: docs/results.md has what came out, and why")
def test_the_planner_beats_the_clone_and_random_directions(tmp_path: Path) -> None:
    report = learn("thanks", tmp_path)
    perplexity = {arm: values["quality"]["perplexity"] for arm, values in report["arms"].items()}
    assert all(difference(report, "planner", control)["z"] > 4 for control in ("clone", "random"))
    assert perplexity["planner"] < 1.15 * perplexity["base"]
