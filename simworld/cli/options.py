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
