"""Commands that go on where they were stopped, whatever they were doing when Ctrl-C came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simworld.cli.options import Command

RESUME_HINT = "; the same command goes on from here"


def resumes(command: Command) -> Command:
    """For commands that lose nothing when they are stopped: Ctrl-C at any moment says so, also
    while a model is loaded.
    """
    return _hinting_at_resume()(command)


@contextmanager
def _hinting_at_resume() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(RESUME_HINT) from None
