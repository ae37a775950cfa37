"""Does steering steer? The shipped experiment in full, on the built-in model: nearly an hour on one core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * 3600)]


def test_a_planner_beats_the_clone_and_random_directions_on_families_never_seen(tmp_path: Path) -> None:
    work = tmp_path / "work"
    ran = CliRunner().invoke(cli, ["learn", "steers", "--db", str(tmp_path / "x.db"), "--work", str(work)])
    assert ran.exit_code == 0, ran.output
    (report,) = work.glob("evaluate-*.json")
    found: dict[str, Any] = json.loads(report.read_text())
    by_pair = {(c["first"], c["second"]): c["measures"]["lexical"] for c in found["comparisons"]}
    for control in ("clone", "random"):
        difference = by_pair["planner", control]
        assert difference["families"] >= 20
        assert difference["z"] > 4, (control, difference)
    perplexity = {arm: values["quality"]["perplexity"] for arm, values in found["arms"].items()}
    assert perplexity["planner"] < 1.15 * perplexity["base"], perplexity
    assert ("planner", "constant") in by_pair
