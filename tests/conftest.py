"""What every test may use: a PostgreSQL server of the session's own, and database addresses on it
or in SQLite."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from store import open_store
from tests.waiting import until

hypothesis.settings.register_profile("any machine", deadline=None)  # how busy it is decides nothing
hypothesis.settings.load_profile("any machine")

# A shell starts jobs in the background deaf to Ctrl-C, and what a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def interrupts_as_before() -> Iterator[None]:
    """Puts back what a command that is run in this process does at Ctrl-C: it ends the process."""
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    yield
    signal.signal(signal.SIGINT, handler)
    sys.unraisablehook = hook


NUMBERS = itertools.count(1)


def server_binaries() -> Path | None:
    """The folder of the newest PostgreSQL server of this machine, or None."""
    if os.environ.get("PG_BINDIR"):
        return Path(os.environ["PG_BINDIR"])
    packaged = [
        path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()
    ]
    if packaged:
        return max(packaged, key=lambda path: int(path.parent.name))
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a server that ends with the session."""
    if server_binaries() is None:
        reason = "no PostgreSQL server here (Debian: apt-get install postgresql)"
        (pytest.fail if os.environ.get("SIMWORLD_NEEDS_POSTGRESQL") else pytest.skip)(reason)
    with run_postgresql() as url:
        yield url


@contextmanager
def run_postgresql() -> Iterator[str]:
    """The URL of a server on loopback with its data in a temporary folder, without fsync.

    PostgreSQL refuses to run as root, so for root its processes run as the user `postgres` that
    Debian's package makes.
    """
    binaries = server_binaries()
    assert binaries is not None
    as_root = os.geteuid() == 0
    drop: dict[str, Any] = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if as_root else {}
    )
    # short: a socket's path has at most 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if as_root:
        shutil.chown(folder, "postgres", "postgres")
    initdb = [
        f"{binaries}/initdb",
        "-D",
        f"{folder}/data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    subprocess.run(
        [*initdb, "--no-locale", "--no-sync", "--no-instructions"],
        check=True,
        cwd=folder,
        capture_output=True,
        **drop,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fast = [
        part
        for name in ("fsync", "synchronous_commit", "full_page_writes")
        for part in ("-c", f"{name}=off")
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                f"{binaries}/postgres",
                "-D",
                f"{folder}/data",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-k",
                str(folder),
                *fast,
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            **drop,
        )
    try:
        ready = [f"{binaries}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        until(
            lambda: server.poll() is not None or not subprocess.run(ready, check=False).returncode
        )
        if server.poll() is not None:
            raise RuntimeError((folder / "log").read_text())
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: its data goes with it
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def make_database(server: str) -> str:
    """The URL of a new, empty database on the server."""
    import psycopg

    name = f"t{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server.rsplit('/', 1)[0]}/{name}"


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """A new, empty database on the server."""
    return make_database(postgresql_server)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that does not exist yet (SQLite) or is empty (PostgreSQL)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'world.db'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema and no rows: copied in a tenth of the time that making one
    takes."""
    path = tmp_path_factory.mktemp("template") / "world.db"
    open_store(f"sqlite:///{path}", create=True).close()
    return path
