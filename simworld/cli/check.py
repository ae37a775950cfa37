"""`simworld check`: every file of a folder, each by its kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from simworld.cli.duplicate_files import note_alike
from simworld.cli.next_command import next_command
from simworld.cli.text import harmless
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import list_yaml_files


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Check every file of ours in files and folders; default: the working folder.

    Scenarios, personas, rubrics, agents, prompts, judges, tournaments, learn files and pairs, each
    by its kind, which its keys and its folder's name tell. Other files are counted and left alone.
    No model is loaded.
    """
    from simworld.cli.file_kinds import KINDS, WORDS, check_files, kind_of

    files: dict[str, list[Path]] = {}
    seen: set[str] = set()
    problems: list[Problem] = []
    others = 0
    for folder in paths or (Path(),):
        try:
            inside = list_yaml_files(folder) if os.path.isdir(folder) else [folder]
        except InputError as error:
            problems += error.problems
            continue
        for path in inside:
            if os.path.realpath(path) in seen:
                continue
            seen.add(os.path.realpath(path))
            kind = kind_of(path)
            if kind is None and path in paths:
                problems.append(Problem(message=_unknown(path, KINDS), where=str(path)))
            elif kind is None:
                others += 1
            else:
                files.setdefault(kind, []).append(path)
    checked = check_files(files)
    problems += checked.problems
    left_out = f"; {counted(others, 'other YAML file')} left out" if others else ""
    for kind, contents in checked.contents.items():
        note_alike(kind, contents)
    if problems:
        for problem in problems:
            click.echo(harmless(str(problem)), err=True)
        raise InputError(
            f"{counted(len(problems), 'problem')} in"
            f" {counted(len(seen) - others, 'file')}{left_out}"
        )
    if not files:
        raise InputError(
            f"no simworld file is here{left_out}; `simworld scenario new NAME` writes one to start"
            " from"
        )
    counts = [counted(len(files[kind]), WORDS.get(kind, kind)) for kind in KINDS if kind in files]
    click.echo(f"{', '.join(counts)}: ok{left_out}")
    _next(files)


def _next(files: Mapping[str, list[Path]]) -> None:
    if "tournament" in files:
        next_command("tournament run", str(files["tournament"][0]))
    elif "learn" in files:
        next_command("learn", str(files["learn"][0]), "--dry-run")
    elif "scenario" in files:
        agent = str(files["agent"][0]) if "agent" in files else "smol-script"
        next_command("run", str(files["scenario"][0]), "--cast", f"*={agent}")


def _unknown(path: Path, kinds: tuple[str, ...]) -> str:
    if not os.path.lexists(path):
        return "no such file or folder"
    return f"its keys are those of no simworld file ({', '.join(kinds)})"
