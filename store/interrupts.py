"""Delays Ctrl-C until a transaction has ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def delay_interrupts() -> Iterator[None]:
    """Lets Ctrl-C wait for the end of the block: a transaction that it cuts in two goes on holding
    the database's lock.

    Only the main thread hears Ctrl-C; in another nothing is held back. Raises KeyboardInterrupt as
    the block ends, if it was heard.
    """
    previous_handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous_handler):
        yield
        return
    received: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGINT, lambda *signal_: received.append(signal_))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous_handler)
        if received:
            previous_handler(*received[0])
