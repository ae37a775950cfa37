"""Ctrl-C waits for the end of a block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from store.interrupts import held_back


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_is_finished_first() -> None:
    done = []

    def store() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("stored")

    with pytest.raises(KeyboardInterrupt):
        store()
    assert done == ["stored"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_nothing_changes_and_errors_pass() -> None:
    with held_back():
        pass
    with pytest.raises(ValueError, match="full"), held_back():
        raise ValueError("full")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_nothing_is_held_back() -> None:
    seen = []

    def work() -> None:
        with held_back():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_blocks_within_a_block_wait_for_the_outer_one() -> None:
    done = []

    def work() -> None:
        with held_back():
            with held_back():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]
