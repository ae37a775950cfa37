"""The page on Python: its blocks run, one after the other, in one namespace."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "python.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WITH_MODEL = "# with the built-in model\n"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The page sets up logging, for good."""
    root, logger = logging.getLogger(), logging.getLogger("simworld")
    handlers, level = list(root.handlers), logger.level
    yield
    root.handlers[:] = handlers
    logger.setLevel(level)


def run(blocks: list[str]) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "python.md", "exec"), namespace)
    return namespace


def test_the_blocks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMWORLD_DB", raising=False)
    blocks = [block for block in BLOCKS if not block.startswith(WITH_MODEL)]
    assert len(blocks) == len(BLOCKS) - 2 > 8
    run(blocks)
    assert "1 episode played (0 failed), 0 already there, 1 planned" in capsys.readouterr().out


# its scenario is one family, and notes say what that cannot tell
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.model
def test_the_blocks_with_the_model_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMWORLD_DB", raising=False)
    namespace = run([BLOCKS[0], *(block for block in BLOCKS if block.startswith(WITH_MODEL))])
    assert len(namespace["scores"]) == 14  # 2 seats × 7 dimensions
    assert sorted(namespace["standings"]["agent"]) == ["smol-chat", "smol-script"]


def test_every_option_of_the_table_is_one() -> None:
    from simworld import JobOptions

    (table,) = re.findall(r"^\| option \| \|\n\|---\|---\|\n(.*?)\n\n", PAGE, re.M | re.DOTALL)
    named = re.findall(
        r"`(\w+)(?:=True)?`", "\n".join(line.split("|")[1] for line in table.splitlines())
    )
    assert sorted(named) == sorted(["db", *JobOptions.__optional_keys__])
