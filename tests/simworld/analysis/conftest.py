"""The small world, stored once in SQLite and once in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simworld import connect
from simworld.analysis.connect import Analysis
from store import open_store
from tests.conftest import make_database
from tests.factories import scored_world


@pytest.fixture(scope="session")
def world_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("small") / "world.db"
    with open_store(str(path), create=True) as store:
        scored_world.store_world(store)
        scored_world.train(store)
    return str(path)


@pytest.fixture(scope="session")
def world_postgresql(postgresql_server: str) -> str:
    url = make_database(postgresql_server)
    with open_store(url, create=True) as store:
        scored_world.store_world(store)
        scored_world.train(store)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def world_url(request: pytest.FixtureRequest) -> str:
    """The address of the small world; tests only read it."""
    return str(request.getfixturevalue(f"world_{request.param}"))


@pytest.fixture
def asked(world_url: str) -> Iterator[Analysis]:
    """The small world, to ask."""
    with connect(world_url) as analysis:
        yield analysis
