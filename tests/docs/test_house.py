"""The page on the house names files that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "design" / "house.md").read_text("utf-8")


def test_every_file_that_the_page_names_is_there() -> None:
    paths = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", PAGE))
    assert len(paths) > 40
    assert {p for p in paths if not any((ROOT / d / p).exists() for d in ("", "simworld"))} == set()
