"""The `simworld` command.

Nothing is imported here but what can stop at once: the command itself needs a third of a second to
load, and Ctrl-C in it must be as quiet as later. What is left is the start of Python itself, some
tens of milliseconds before the first line here.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself takes ten milliseconds to name its numbers
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from simworld.cli.commands import COMMANDS as COMMANDS
    from simworld.cli.commands import cli as cli


def main() -> None:
    """Runs the command; a known error is one line on stderr and its exit code, Ctrl-C exits 130, a
    bug shows its traceback.
    """
    is_default_handler = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
    try:
        # there is nothing to tidy up yet, and libraries that are being loaded may swallow an
        # exception
        if is_default_handler:
            _signal.signal(_signal.SIGINT, _exit_at_once)
        from simworld.cli.run_command import run_command

        if is_default_handler:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        run_command()
    except KeyboardInterrupt as interrupt:
        if is_default_handler:  # a second one, while Python ends
            _signal.signal(_signal.SIGINT, _exit_at_once)
        # what was half made is taken down now, and complains
        sys.unraisablehook = _ignore_unraisable
        print(f"Stopped{interrupt}.", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(130)


def _exit_at_once(signum: int, frame: object) -> None:
    """Ends the process without running anything more of it."""
    try:
        os.write(2, b"Stopped.\n")
    finally:
        os._exit(130)


def _ignore_unraisable(unraisable: object) -> None:
    """In place of "Exception ignored in …"."""


def __getattr__(name: str) -> Any:
    if name not in ("COMMANDS", "cli"):
        raise AttributeError(f"module 'simworld.cli' has no attribute {name!r}")
    from simworld.cli import commands

    return getattr(commands, name)
