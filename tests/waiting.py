"""Waiting for another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable

AT_MOST_S = 120.0  # far more than a busy machine takes


def until(condition: Callable[[], object]) -> None:
    """Returns once the condition holds; fails if it never does."""
    end = time.monotonic() + AT_MOST_S
    while not condition():
        assert time.monotonic() < end, "what is waited for never came"
        time.sleep(0.005)
