"""Every option and argument that takes a path, with paths that no file can have: one line, exit
code 2, at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from simworld.cli import cli, main
from store import open_store

PATHS = {
    "long": "x" * 5_000,
    "long-yaml": "x" * 300 + ".yaml",
    "deep": "d/" * 3_000 + "x.yaml",
    "circle": "circle.yaml",
    "below-a-file": "al.yaml/x.yaml",
    "zeros": "/dev/zero",
    "pipe": "pipe.yaml",
    "no-utf8": "\udcff.yaml",
}
BY_NAME = {
    "db",
    "file",
    "scenarios",
    "selectors",
    "selector",
    "agents",
    "cast",
    "partners",
    "judge_name",
    "rubric_name",
    "out",
}
GIVEN = {  # what fits, for what must be given beside the one that is tried
    "db": "good.db", "scenarios": "s.yaml", "agents": "al.yaml", "partners": "be.yaml", "selector": "s.yaml", "file": "t.yaml",
    "cast": "*=al.yaml", "paths": "al.yaml", "folder": ".", "lexical": "hi", "sql": "select 1", "text": "hello", "id_": "abc",
    "first": "al", "second": "be", "rater": "Ann", "name": "smol",
}  # fmt: skip


def commands(
    command: click.Command, name: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        if name != ("demo",):  # loads the model before anything else
            yield name, command
        return
    context = click.Context(command)
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        assert found is not None
        yield from commands(found, (*name, child))


def takes_a_path(name: tuple[str, ...], parameter: click.Parameter) -> bool:
    return (
        isinstance(parameter.type, click.Path)
        or parameter.name in BY_NAME
        or (name, parameter.name) == (("agent", "show"), "name")
    )


TRIED = [
    (name, command, parameter)
    for name, command in commands(cli)
    for parameter in command.params
    if takes_a_path(name, parameter)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for agent in ("al", "be"):
        Path(f"{agent}.yaml").write_text(f"name: {agent}\nkind: scripted\nlines: [hi {agent}]\n")
    seats = (
        "seats: [{name: a, persona: {name: Ann}, goal: g}, {name: b, persona: {name: Ben}, goal:"
        " h}]\n"
    )
    Path("s.yaml").write_text(f"name: s\nsetting: x\n{seats}")
    Path("t.yaml").write_text(
        "name: t\nagents: [al.yaml, be.yaml]\nscenarios: [s.yaml]\nself_play: true\n"
    )
    Path("circle.yaml").symlink_to("circle.yaml")
    os.mkfifo("pipe.yaml")
    open_store("good.db", create=True).close()
    return tmp_path


def test_every_command_is_tried() -> None:
    assert len({name for name, _, _ in TRIED}) >= 40
    assert len(TRIED) >= 75


@pytest.mark.parametrize(
    ("name", "command", "tried"),
    TRIED,
    ids=[f"{' '.join(name)} {tried.name}" for name, _, tried in TRIED],
)
def test_paths_that_no_file_can_have(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: tuple[str, ...],
    command: click.Command,
    tried: click.Parameter,
) -> None:
    for kind, path in PATHS.items():
        if kind == "no-utf8" and name == ("train", "upmap"):
            continue  # a folder of that name can be written, after half a minute
        options, arguments = [], []
        for parameter in command.params:
            if parameter is tried:
                value = f"*={path}" if parameter.name == "cast" else path
            elif isinstance(parameter.type, click.Choice) and parameter.required:
                value = str(parameter.type.choices[0])
            elif (
                parameter.name == "db"
                or parameter.required
                or (name == ("evaluate",) and parameter.name == "lexical")
            ):
                value = GIVEN.get(str(parameter.name), "given")
            else:
                continue
            if isinstance(parameter, click.Option):
                options += [parameter.opts[0], value]
            else:
                arguments.append(value)
        monkeypatch.setattr(sys, "argv", ["simworld", *name, *options, "--", *arguments])
        try:
            main()
            code = 0
        except (
            SystemExit
        ) as stopped:  # anything else that is raised is a traceback, and fails the test
            code = int(stopped.code or 0)
        said = capsys.readouterr().err
        assert code in (0, 2), said
        assert code == 0 or said.strip()
