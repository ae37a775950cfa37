"""The help of every command, as `--help` prints it."""

from __future__ import annotations

from collections.abc import Iterator

import click

_WIDTH = 100


def command_reference() -> str:
    """A section for each command and group, in the order of `simworld --help`."""
    from simworld.cli import cli

    parts = []
    for context in contexts(cli, "simworld", None):
        name = context.command_path
        depth = "#" * min(3 + name.count(" "), 5) if name != "simworld" else "###"
        parts.append(f"{depth} `{name}`\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def contexts(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[click.Context]:
    """A context for a command and each command below it, as click makes it for `--help`."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, **command.context_settings
    )
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None, f"{context.command_path} {below}"
            yield from contexts(found, below, context)
