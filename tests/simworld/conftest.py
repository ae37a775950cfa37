"""An empty store for whoever asks for one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store, open_store


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store in SQLite."""
    path = tmp_path / "world.db"
    shutil.copy(sqlite_template, path)
    with open_store(f"sqlite:///{path}") as opened:
        yield opened
