"""Commands that go on where they were stopped, whatever they were doing when Ctrl-C came."""

from __future__ import annotations

import functools
from typing import Any, cast

from simworld.cli.options import Command

GOES_ON = "; the same command goes on from here"


def resumes(command: Command) -> Command:
    """For commands that lose nothing when they are stopped: Ctrl-C at any moment says so, also
    while a model is loaded.
    """

    @functools.wraps(command)
    def resuming(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(GOES_ON) from None

    return cast(Command, resuming)
