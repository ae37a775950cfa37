"""`simworld serve`: where it listens, and what it says before it does."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.errors import InputError, StoreMismatch
from store import open_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'x.db'}"
    open_store(made, create=True).close()
    return made


def test_it_listens_on_this_machine_alone_until_it_is_stopped(url: str) -> None:
    command = [sys.executable, "-m", "simworld", "serve", "--port", "0", "--db", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("simworld is at http://127.0.0.1:"), line
        with urllib.request.urlopen(line.split()[-1]) as answer:
            assert b"Nothing has been played yet" in answer.read()
        process.send_signal(2)  # Ctrl-C
        assert process.wait(20) in (0, 130)
        assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken(url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"cannot listen on 127.0.0.1, port {port}: .* try --port 0"
        ):
            CliRunner().invoke(
                cli, ["serve", "--port", str(port), "--db", url], catch_exceptions=False
            )


def test_an_address_that_is_not_of_this_machine(url: str) -> None:
    with pytest.raises(InputError, match=r"cannot listen on 203\.0\.113\.7"):
        CliRunner().invoke(
            cli, ["serve", "--host", "203.0.113.7", "--db", url], catch_exceptions=False
        )


def test_a_database_that_is_not_there_or_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no database"):
        CliRunner().invoke(
            cli, ["serve", "--db", str(tmp_path / "none.db")], catch_exceptions=False
        )
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreMismatch, match="is empty"):
        CliRunner().invoke(
            cli, ["serve", "--db", str(tmp_path / "empty.db")], catch_exceptions=False
        )
