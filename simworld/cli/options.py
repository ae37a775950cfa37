"""Options that every command shares, so that they read the same everywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from simworld.core.errors import SimworldError

Command = TypeVar("Command", bound=Callable[..., Any])

_DB = click.option(
    "--db",
    "db",
    metavar="URL",
    envvar="SIMWORLD_DB",
    default="sqlite:///simworld.db",
    show_default=True,
    show_envvar=True,
    help="The database: sqlite:///FILE, a file name, or postgresql://USER@HOST/NAME.",
)
OURS = (SimworldError, click.ClickException, click.exceptions.Exit, click.Abort, OSError)


def db_option(command: Command) -> Command:
    """`--db` for a command, whose unknown errors are explained where a damaged cell of that database is to blame."""

    @functools.wraps(command)
    def explaining(*args: Any, db: str, **options: Any) -> Any:
        try:
            return command(*args, db=db, **options)
        except OURS:
            raise
        except Exception as error:
            from store.damage import explain_damage  # slow to import, and seldom needed

            if (known := explain_damage(db, error)) is None:
                raise
            raise known from error

    return cast(Command, _DB(explaining))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    envvar="SIMWORLD_THREADS",
    show_envvar=True,
    help="Of a local model; default: the cores that this process may use.",
)

memory_option = click.option(
    "--memory",
    "memory_gb",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GB",
    help="For the caches of local models; fewer conversations are under way where it is short. Default: a quarter of what is free.",
)

profile_option = click.option("--profile", "with_profile", is_flag=True, help="Print where the time went.")
