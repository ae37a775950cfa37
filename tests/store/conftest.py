"""Databases for the tests of the store: with the schema in them, and shared where making one takes
long."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store, open_store
from tests.conftest import make_database


@pytest.fixture(scope="session")
def postgresql_made(postgresql_server: str) -> str:
    """The URL of the one database with our schema that tests share, for making one takes a
    second."""
    url = make_database(postgresql_server)
    open_store(url, create=True).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def made_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with the schema and no rows."""
    if request.param == "sqlite":
        path = tmp_path / "world.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    import psycopg

    url = str(request.getfixturevalue("postgresql_made"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE scenarios, agents, runs, judges, training_runs CASCADE"
        )  # all other tables refer to these
    return url


@pytest.fixture
def store(made_url: str) -> Iterator[Store]:
    """An empty store on either database."""
    with open_store(made_url) as opened:
        yield opened
