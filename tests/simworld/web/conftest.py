"""One world for all tests of the pages, a client that asks without a network, and a browser that
asks a real server."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from starlette.testclient import TestClient

import store
from simworld.web.app import make_app
from tests.factories.web_world import build

HERE = Path(__file__).parent
# No sandbox, for tests may run as root; and nothing that asks the network by itself.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the world's database; nobody writes to it."""
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tournament of the built-in model, played once and kept.

    `tournaments/small.yaml` on three of its scenarios, a planner trained on its actions for a few
    minutes, and the embeddings of a search. The file is of version 0003 and is brought to this one.
    """
    path = tmp_path_factory.mktemp("small") / "small.db"
    path.write_bytes(lzma.decompress((HERE / "small.db.xz").read_bytes()))
    store.upgrade_store(str(path))
    return f"sqlite:///{path}"


@pytest.fixture
def client(world: str) -> Iterator[TestClient]:
    """Asks the pages of the world."""
    with TestClient(
        make_app(world), base_url="http://127.0.0.1:8137", raise_server_exceptions=False
    ) as made:
        yield made


@contextmanager
def served(url: str) -> Iterator[str]:
    """The address of `simworld serve` on a database, in a process of its own."""
    command = [sys.executable, "-m", "simworld", "serve", "--port", "0", "--db", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("simworld is at http://127.0.0.1:"), line
            yield line.split()[-1].rstrip("/")
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def world_site(world: str) -> Iterator[str]:
    """Where the world is served."""
    with served(world) as address:
        yield address


@pytest.fixture(scope="session")
def small_site(small: str) -> Iterator[str]:
    """Where the small tournament is served."""
    with served(small) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if path is None:
        reason = "no Chromium here (Debian: apt-get install chromium fonts-dejavu-core)"
        (pytest.fail if os.environ.get("SIMWORLD_NEEDS_CHROMIUM") else pytest.skip)(reason)
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield made
        made.close()
