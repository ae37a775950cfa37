"""A store opened to be looked at: it cannot write, and it notices what becomes of the database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from simworld.core.errors import InputError, StoreError, StoreMismatch
from store import open_store
from store.connection import open_engine
from store.database_address import parse_address
from store.version import VERSION_TABLE
from tests.factories.stored import add, begin, played


def test_it_reads_what_is_there_and_what_comes(made_url: str) -> None:
    with open_store(made_url) as writer, open_store(made_url, read_only=True) as reader:
        first, second, _ = begin(writer)
        add(writer, first, played(first, "x"))
        assert len(reader.episode_summaries()) == 1
        add(writer, second, played(second, "y"))
        assert len(reader.episode_summaries()) == 2
        reader.check_unchanged()


def test_it_cannot_write(made_url: str) -> None:
    with open_store(made_url, read_only=True) as reader:
        with pytest.raises(StoreError, match="cannot be written"):
            begin(reader)
        assert reader.run_summaries() == []


def test_it_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no database"):
        open_store(str(tmp_path / "none.db"), read_only=True)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreMismatch, match="is empty"):
        open_store(str(tmp_path / "empty.db"), read_only=True)
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_it_leaves_the_files_alone(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    shutil.copy(sqlite_template, path)
    before = path.read_bytes()
    with open_store(str(path), read_only=True) as reader:
        reader.run_summaries()
    assert path.read_bytes() == before


def test_it_notices_a_file_that_was_replaced(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "world.db"
    shutil.copy(sqlite_template, path)
    shutil.copy(sqlite_template, tmp_path / "other.db")
    with open_store(str(path), read_only=True) as reader:
        os.replace(tmp_path / "other.db", path)
        with pytest.raises(StoreError, match="deleted, moved or replaced"):
            reader.check_unchanged()


def test_it_notices_another_version(url: str) -> None:
    open_store(url, create=True).close()
    engine = open_engine(parse_address(url), create=False)
    with open_store(url, read_only=True) as reader:
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
        with pytest.raises(StoreMismatch, match="version 0999"):
            reader.check_unchanged()
    engine.dispose()


def test_it_waits_for_a_server_that_is_being_changed_no_longer_than_it_may(
    postgresql_url: str,
) -> None:
    open_store(postgresql_url, create=True).close()
    engine = open_engine(parse_address(postgresql_url), create=False)
    with open_store(postgresql_url, read_only=True, busy_timeout_s=0.1) as reader:
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(StoreError, match="is locked by another program; try again later"):
                reader.run_summaries()
        assert reader.run_summaries() == []
    engine.dispose()
