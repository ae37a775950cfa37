from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_memory_is_bounded_by_live_episodes_and_tokens_read_by_new_ones() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.scale", "--quick", "--json"], check=True, capture_output=True
    )
    found = json.loads(ran.stdout)
    grown = found["memory_mib"]
    assert list(grown) == ["100", "500", "1000"]
    assert grown["1000"] < 20
    turns = {int(count): values["read_per_turn"] for count, values in found["turns"].items()}
    whole = {
        int(count): values["whole_history_per_turn"] for count, values in found["turns"].items()
    }
    assert turns[40] < turns[10] < whole[10] < whole[40]
