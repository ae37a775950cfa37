"""Whatever a disk or another program does to a database, everything that reads it gives an answer
or one clear line, exit code 2.

A few seeds at every run; `DAMAGED=500 pytest tests/simworld/test_damaged_databases.py` tries as
many more.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.factories.web_world import build
from tests.simworld.damaged import damage, readings, whole

SEEDS = int(os.environ.get("DAMAGED", "12"))
READS = 8  # of each database


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    build(folder)
    whole(folder / "world.db")
    return folder


@pytest.fixture
def copied(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMWORLD_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(world, tmp_path / "world")) / "world.db"


def some_episodes(path: Path) -> list[str]:
    """One of each run."""
    with closing(sqlite3.connect(path)) as connection:
        return [id_ for (id_,) in connection.execute("SELECT min(id) FROM episodes GROUP BY run")]


def test_a_whole_database_is_read(copied: Path, tmp_path: Path) -> None:
    reads = readings(copied, some_episodes(copied), tmp_path)
    assert len(reads) > 60
    for name in ("simworld db info", "GET /", "connect().scores"):
        reads[name]()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_damaged_database_is_read_or_refused(copied: Path, tmp_path: Path, seed: int) -> None:
    reads = readings(copied, some_episodes(copied), tmp_path)
    what = damage(copied, seed)
    for name in random.Random(seed).sample(sorted(reads), READS):
        try:
            reads[name]()
        except Exception as error:
            pytest.fail(f"{what}: {name}: {type(error).__name__}: {error}")
