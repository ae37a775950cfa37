"""Options that every command shares, so that they read the same everywhere."""

from __future__ import annotations

import click

db_option = click.option(
    "--db",
    "db",
    metavar="URL",
    envvar="SIMWORLD_DB",
    default="sqlite:///simworld.db",
    show_default=True,
    show_envvar=True,
    help="The database: sqlite:///FILE, a file name, or postgresql://USER@HOST/NAME.",
)

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
