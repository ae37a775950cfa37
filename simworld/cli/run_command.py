"""One command from its arguments to its exit code: what goes wrong is one line, and only a bug
shows its traceback.
"""

from __future__ import annotations

import _thread
import errno
import io
import os
import signal
import sys
import threading
import time

import click

from simworld import name_clash_check
from simworld.cli.commands import cli
from simworld.cli.output.text import harmless
from simworld.core.errors import BudgetSpent, SimworldError

NO_SPACE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PATH_ERRORS = (  # what is wrong with a path that somebody gave, wherever it is first used
    *(
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
    ),
    *(errno.EROFS, errno.ENXIO, errno.ENODEV, errno.EINVAL),
)


def run_command() -> None:
    """Runs the command of `sys.argv`, and exits with its code; KeyboardInterrupt and bugs go on to
    the caller.
    """
    _replace_closed_streams()
    _escape_unencodable()
    wait_passively()
    _resend_lost_interrupts()
    try:
        name_clash_check.check_package_names()
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()  # here, where what cannot be written is still told
    except click.ClickException as error:
        usage_text = io.StringIO()
        error.show(usage_text)
        click.echo(harmless(usage_text.getvalue()), err=True, nl=False)
        sys.exit(error.exit_code)
    except click.Abort as abort:  # what click makes of Ctrl-C
        raise KeyboardInterrupt(*getattr(abort.__cause__, "args", ())) from None
    except name_clash_check.NameTaken as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except BudgetSpent as spent:
        click.echo(f"Stopped: {harmless(str(spent))}.", err=True)
        sys.exit(spent.exit_code)
    except SimworldError as error:
        click.echo(f"Error: {harmless(str(error))}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has read enough
        _discard_output()
        sys.exit(1)
    except OSError as error:
        line = _os_error_line(error)
        if not line:
            raise
        if error.errno in NO_SPACE_ERRORS:
            _discard_output()
        click.echo(f"Error: {line}", err=True)
        sys.exit(1 if error.errno in NO_SPACE_ERRORS else 2)
    if isinstance(code, int):  # what a command gave to `Exit`; click returns it here
        sys.exit(code)


def _os_error_line(error: OSError) -> str:
    """What an error of the operating system says to people; empty if it tells of a bug of ours."""
    from simworld.yamlfile import shorten

    path = (
        harmless(shorten(os.fsdecode(error.filename)))
        if isinstance(error.filename, str | bytes)
        else ""
    )
    if error.errno in NO_SPACE_ERRORS:
        message = f"cannot be written: {error.strerror}; free space and run the same command again"
        return f"{path or 'the output'} {message}"
    return f"{path}: {error.strerror}" if path and error.errno in PATH_ERRORS else ""


def _escape_unencodable() -> None:
    """Lets a stream that cannot show a character (`LC_ALL=C`, a Windows code page) write it as an
    escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def wait_passively() -> None:
    """Lets idle threads of a model sleep instead of spin; must happen before torch is loaded.

    Spinning makes two threads three times slower than one as soon as another program needs a core.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def _resend_lost_interrupts() -> None:
    """Sends Ctrl-C again where it came in a place that cannot raise, a library's `__del__` say:
    Python would drop it there.
    """
    previous_hook = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is None or not issubclass(unraisable.exc_type, KeyboardInterrupt):
            previous_hook(unraisable)
            return
        # once this place is left; `Timer.start` waits for its thread, and could be hit in here
        _thread.start_new_thread(_send_interrupt, (0.01,))

    sys.unraisablehook = hook


def _send_interrupt(delay_s: float) -> None:
    """Sends SIGINT to the main thread; where the system allows it also out of a call that waits."""
    time.sleep(delay_s)
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _replace_closed_streams() -> None:
    """Puts the null device where a stream was closed (`>&-`), which Python shows as None."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives, as the stream it stands for
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _discard_output() -> None:
    """Sends what is still buffered nowhere: Python would try to write it once more at its end, and
    complain.
    """
    null_device = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_device, sys.stdout.fileno())
    os.close(null_device)
