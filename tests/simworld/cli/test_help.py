"""The help of every command and group: what there is, one line for each, and nothing wider than a
terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from simworld.cli import cli

WIDTH = 80  # columns of a plain terminal


def groups(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    yield path, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from groups(command, (*path, name))


GROUPS = dict(groups(cli))
COMMANDS = {
    (*path, name): group.get_command(click.Context(group), name)
    for path, group in GROUPS.items()
    for name in group.list_commands(click.Context(group))
}
NAMES = {
    "": (
        "agent check db demo episode evaluate extension judge learn model persona report rubric run"
        " scenario serve tournament train"
    ),
    "agent": "check list new schema show",
    "db": "export info query upgrade",
    "episode": "branch list replay search show",
    "extension": "list",
    "judge": "agree attribute check import list new run schema show",
    "model": "fetch list",
    "persona": "check new schema",
    "rubric": "check new schema",
    "scenario": "check import-sotopia list new schema show",
    "tournament": "check compare new run schema standings status",
    "train": "clone constant explain export inspect latent td3bc upmap ways",
}


def help_of(path: tuple[str, ...]) -> list[str]:
    done = CliRunner().invoke(cli, [*path, "--help"], terminal_width=WIDTH)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_the_groups_hold_these_commands() -> None:
    found = {
        " ".join(path): " ".join(sorted(group.list_commands(click.Context(group))))
        for path, group in GROUPS.items()
    }
    assert found == NAMES


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_a_groups_help_lists_its_commands_each_with_one_whole_line(path: tuple[str, ...]) -> None:
    lines = help_of(path)
    rows = [re.fullmatch(r"  ([a-z0-9][a-z0-9-]*)  +([A-Z].*)", line) for line in lines]
    listed = {row[1]: row[2] for row in rows if row}
    assert sorted(listed) == NAMES[" ".join(path)].split()
    for line in listed.values():
        assert line.endswith("."), line
        assert not line.endswith("..."), line
    below = lines[min(i for i, row in enumerate(rows) if row) :]
    # what found no room in its line
    assert [line for line in below if re.match(r"   ", line)] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_commands_help_begins_with_one_sentence_and_fits_a_terminal(
    path: tuple[str, ...],
) -> None:
    lines = help_of(path)
    assert [line for line in lines if len(line) > WIDTH] == []
    command = COMMANDS[path]
    assert command is not None
    assert command.help
    first = command.help.split("\n\n")[0].strip()
    assert first.endswith((".", ":")), first
    assert [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ] == []
