"""`simworld check`: every file of a folder, each by its kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from simworld.cli.files.duplicate_files import note_duplicates
from simworld.cli.next_command import suggest_next
from simworld.cli.options import allow_import_option
from simworld.cli.output.text import say
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import list_yaml_files


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@allow_import_option
def check(paths: tuple[Path, ...]) -> None:
    """Check every file of ours in files and folders; default: the working folder.

    Scenarios, personas, rubrics, agents, prompts, judges, tournaments, learn files and pairs, each
    by its kind, which its keys and its folder's name tell. Other files are counted and left alone.
    No model is loaded.
    """
    from simworld.cli.files.file_kinds import FILE_KINDS, KIND_LABELS, check_files, file_kind

    files: dict[str, list[Path]] = {}
    real_paths: set[str] = set()
    problems: list[Problem] = []
    other_count = 0
    for folder in paths or (Path(),):
        try:
            yaml_paths = list_yaml_files(folder) if os.path.isdir(folder) else [folder]
        except InputError as error:
            problems += error.problems
            continue
        for path in yaml_paths:
            if os.path.realpath(path) in real_paths:
                continue
            real_paths.add(os.path.realpath(path))
            kind = file_kind(path)
            if kind is None and path in paths:
                message = _explain_unknown(path, FILE_KINDS)
                problems.append(Problem(message=message, where=str(path)))
            elif kind is None:
                other_count += 1
            else:
                files.setdefault(kind, []).append(path)
    file_check = check_files(files)
    problems += file_check.problems
    left_out = f"; {counted(other_count, 'other YAML file')} left out" if other_count else ""
    for kind, contents in file_check.contents.items():
        note_duplicates(kind, contents)
    if problems:
        for problem in problems:
            say(str(problem), err=True)
        raise InputError(
            f"{counted(len(problems), 'problem')} in"
            f" {counted(len(real_paths) - other_count, 'file')}{left_out}"
        )
    if not files:
        raise InputError(
            f"no simworld file is here{left_out}; `simworld scenario new NAME` writes one to start"
            " from"
        )
    kinds = [kind for kind in FILE_KINDS if kind in files]
    counts = [counted(len(files[kind]), KIND_LABELS.get(kind, kind)) for kind in kinds]
    click.echo(f"{', '.join(counts)}: ok{left_out}")
    _suggest_next(files)


def _suggest_next(files: Mapping[str, list[Path]]) -> None:
    if "tournament" in files:
        suggest_next("tournament run", str(files["tournament"][0]))
    elif "learn" in files:
        suggest_next("learn", str(files["learn"][0]), "--dry-run")
    elif "scenario" in files:
        agent = str(files["agent"][0]) if "agent" in files else "smol-script"
        suggest_next("run", str(files["scenario"][0]), "--cast", f"*={agent}")


def _explain_unknown(path: Path, kinds: tuple[str, ...]) -> str:
    if not os.path.lexists(path):
        return "no such file or folder"
    return f"its keys are those of no simworld file ({', '.join(kinds)})"
