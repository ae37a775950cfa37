"""A group of commands, each of which is imported when it is used, so that `--help` needs neither
torch nor SQLAlchemy.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from typing import Any

import click

from simworld.cli.next_command import ARGV_KEY
from simworld.cli.verbose import accept_verbose

# name → (`module:attribute` in `simworld.cli`, one line of help)
LazyCommands = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """A group whose commands live in other modules."""

    def __init__(
        self,
        *args: Any,
        lazy_commands: LazyCommands,
        sections: Mapping[str, tuple[str, ...]] | None = None,
        **options: Any,
    ) -> None:
        """`sections` are headings with their commands, for the help; default: all under one."""
        super().__init__(*args, **options)
        accept_verbose(self)
        self._lazy = lazy_commands
        self._sections = sections or {"Commands": tuple(lazy_commands)}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.parent is None:
            ctx.meta[ARGV_KEY] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        command = pkgutil.resolve_name(f"simworld.cli.{self._lazy[cmd_name][0]}")
        assert isinstance(command, click.Command)
        return accept_verbose(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self._lazy))
        for heading, names in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), self._lazy[name][1]) for name in names])
