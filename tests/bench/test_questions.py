"""The benchmark of questions asks every one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from store import open_store
from tests.factories import scored_world


def test_every_question_is_timed(tmp_path: Path) -> None:
    path = str(tmp_path / "world.db")
    with open_store(path, create=True) as store:
        scored_world.store_world(store)
    options = ["--db", path, "--agents", "steered,base", "--rounds", "1", "--json"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench.questions", *options], check=True, capture_output=True
    )
    said = json.loads(ran.stdout)
    assert said["episodes"] == 9
    assert {"scores", "paired", "standings", "checks", "language", "planner_actions"} < said[
        "questions"
    ].keys()
    assert all(taken["seconds"] >= 0 for taken in said["questions"].values())
