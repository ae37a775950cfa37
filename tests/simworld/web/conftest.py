"""One world for all tests of the pages, and a client that asks without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from simworld.web.app import make_app
from tests.simworld.web.world import build


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the world's database; nobody writes to it."""
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture
def client(world: str) -> Iterator[TestClient]:
    """Asks the pages of the world."""
    with TestClient(make_app(world), base_url="http://127.0.0.1:8137", raise_server_exceptions=False) as made:
        yield made
