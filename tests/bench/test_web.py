"""The benchmark of the pages on a small store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from store import open_store
from tests.factories.tournaments import play, tournament, write


# Fifty seconds of processors, and how many pages are read in four seconds is the machine's affair.
# Nothing is lost: tests/simworld/web reads every page.
@pytest.mark.slow
def test_every_kind_of_page_is_read_while_a_tournament_is_written(tmp_path: Path) -> None:
    write(tmp_path, families=2, agents=("ada", "ben"))
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with open_store(url, create=True) as store:
        play(tournament(tmp_path, agents=("ada", "ben")), store)
    command = [
        sys.executable,
        "-m",
        "bench.web",
        "--db",
        url,
        "--readers",
        "3",
        "--seconds",
        "4",
        "--pause",
        "0.01",
    ]
    ran = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    found = json.loads(ran.stdout)
    assert found["faults"] == {}
    assert found["all"]["n"] == sum(numbers["n"] for numbers in found["pages"].values()) > 20
    assert {"episode", "episodes", "standings", "words"} <= found["pages"].keys()
    assert "meaning" not in found["pages"]  # nothing has an embedding
    assert found["played"] > 0
