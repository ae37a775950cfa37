"""`simworld extension`: what installed packages add."""

from __future__ import annotations

import click

from simworld.cli.options import json_option
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import harmless, print_json


@click.group()
def extension() -> None:
    """List what other packages add: agents, judges, backends, learners, rewards, measures."""


@extension.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List installed extensions.

    With what declares each, and whether it can be used; to find that out, each is imported. Files
    name them by these names.
    """
    from simworld.extension_tables import extension_tables

    rows = [
        {
            "group": table.group,
            "name": each.name,
            "distribution": each.distribution,
            "version": each.version,
            "object": each.entry_point.value,
            "problem": table.problem(each),
        }
        for table in extension_tables()
        for each in table.declared
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        groups = ", ".join(table.group for table in extension_tables())
        click.echo(f"No extension is installed; packages declare them as entry points: {groups}.")
        return
    shown = grid("group", "name", "from", "object", "state")
    for row in rows:
        source = f"{row['distribution']} {row['version']}"
        cells = (row["group"], row["name"], source, row["object"], row["problem"] or "ok")
        shown.add_row(*map(harmless, cells))
    console().print(shown)
