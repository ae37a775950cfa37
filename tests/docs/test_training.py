"""The learn file that docs/how-to/train-a-planner.md shows is one."""

from __future__ import annotations

import re
from pathlib import Path

from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.learn_file import ARM_NAMES
from simworld.yamlfile import load_text

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "train-a-planner.md").read_text("utf-8")


def test_the_file_that_is_shown_can_be_used() -> None:
    shown, *_agents = re.findall(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)
    (one,) = grid_points(load_text(shown, "polite.yaml"))
    assert one.file.arms == ("base", "clone", "random", "constant", "planner")


def test_every_arm_is_explained() -> None:
    section = PAGE.partition("### The arms\n")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert explained | {"planner"} == set(ARM_NAMES)


def test_the_arms_that_are_shown_can_be_used() -> None:
    shown, arms = (
        re.findall(rf"```yaml\n({start}.*?)```", PAGE, re.DOTALL)[0]
        for start in ("name: ", "evaluate:")
    )
    text = re.sub(r"^evaluate: .*$", "", shown, flags=re.MULTILINE) + arms
    (one,) = grid_points(load_text(text, "polite.yaml"))
    assert set(one.file.arms) == set(ARM_NAMES) - {"explorer"}
