"""The demo from end to end, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from store import open_store


@pytest.mark.model
def test_the_demo_plays_judges_and_steers_once(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'demo.db'}"
    first = CliRunner().invoke(cli, ["demo", "--scenarios", "1", "--db", db], catch_exceptions=False)
    assert first.exit_code == 0, first.output
    assert "3 episodes played, 0 were there already" in first.output
    assert "Scores by agent" in first.output
    again = CliRunner().invoke(cli, ["demo", "--scenarios", "1", "--db", db], catch_exceptions=False)
    assert "0 episodes played, 3 were there already" in again.output
    with open_store(db) as store:
        steered = [
            act.plan
            for stored in store.episodes(run="demo-steered-1-0", agent="smol-thanks")
            for act in stored.episode.acts
            if act.plan is not None
        ]
    assert len(steered) >= 3
    assert all(plan.action is not None and plan.planner_id for plan in steered)
