"""The examples of the guide do what the guide says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.scenarios.parsing import parse_scenario

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-scenarios.md"


def test_the_examples_load() -> None:
    whole, variants = re.findall(
        r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    (scenario,) = parse_scenario(whole)
    assert scenario.name == "last-concert-ticket"
    other = "- {name: visitor, persona: luc-tremblay, goal: Get the boat.}"
    found = parse_scenario(variants.replace("…", other))
    assert found[0].name == "rowing-boat.floor-300.mood-calm"
    assert len(found) == 4
    assert {s.family for s in found} == {"rowing-boat"}
