from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.model
def test_a_search_of_a_small_store_needs_little_memory() -> None:
    command = [sys.executable, "-m", "bench.search", "--episodes", "2000", "--json"]
    ran = subprocess.run(command, check=True, capture_output=True)
    found = json.loads(ran.stdout)
    assert found["episodes"] == 2000
    assert found["search_s"] > 0
    assert found["memory_mib"] < 20
