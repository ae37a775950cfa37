"""Ctrl-C waits for the end of a block."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from store.connection import open_engine
from store.database_address import parse_address
from store.interrupts import delay_interrupts


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_is_finished_first() -> None:
    done = []

    def store() -> None:
        with delay_interrupts():
            signal.raise_signal(signal.SIGINT)
            done.append("stored")

    with pytest.raises(KeyboardInterrupt):
        store()
    assert done == ["stored"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_nothing_changes_and_errors_pass() -> None:
    with delay_interrupts():
        pass
    with pytest.raises(ValueError, match="full"), delay_interrupts():
        raise ValueError("full")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_nothing_is_held_back() -> None:
    seen = []

    def work() -> None:
        with delay_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_blocks_within_a_block_wait_for_the_outer_one() -> None:
    done = []

    def work() -> None:
        with delay_interrupts():
            with delay_interrupts():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]


def test_ctrl_c_while_a_connection_is_closed_is_no_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            raise KeyboardInterrupt

    address = parse_address(str(tmp_path / "a.db"))
    open_engine(address, create=True).dispose()
    monkeypatch.setattr(
        "store.connection.sqlite3.connect", partial(sqlite3.connect, factory=Interrupted)
    )
    with pytest.raises(KeyboardInterrupt):
        open_engine(address, create=False).dispose()
    assert caplog.records == []
