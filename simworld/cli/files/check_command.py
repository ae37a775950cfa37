"""`simworld KIND check`: the files of one kind among those that are given; `simworld check` looks
at all kinds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from simworld.cli.files.duplicate_files import note_duplicates
from simworld.cli.options import allow_import_option
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem


def make_check_command(kind: str) -> click.Command:
    """The command `check` of a group: files as they are given, and of folders those of its kind."""

    @click.command(
        "check",
        help=(
            f"Check files and folders of the kind {kind}.\n\nEvery problem is named with its place."
        ),
    )
    @click.argument(
        "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
    )
    @allow_import_option
    def check(paths: tuple[Path, ...]) -> None:
        from simworld.cli.files.file_kinds import check_files

        files, other_count, problems = _select_files(kind, paths)
        file_check = check_files({kind: files})
        problems += file_check.problems
        left_out = (
            f"; {counted(other_count, 'other file')} left out (`simworld check` looks at all kinds)"
            if other_count
            else ""
        )
        note_duplicates(kind, file_check.contents.get(kind, ()))
        if problems and files and left_out:
            problems.append(Problem(message=f"{counted(len(files), 'file')} looked at{left_out}"))
        if problems:
            raise InputError(problems)
        click.echo(f"{counted(len(files), kind)}: ok{left_out}")

    return check


def _select_files(kind: str, paths: Sequence[Path]) -> tuple[list[Path], int, list[Problem]]:
    """The files to check, how many others the folders hold, and folders that hold nothing to
    check.
    """
    from simworld.cli.files.file_kinds import file_kind
    from simworld.yamlfile import list_yaml_files

    selected: dict[str, Path] = {}
    other_paths: set[str] = set()
    problems: list[Problem] = []
    for path in paths:
        if not os.path.isdir(path):
            # a missing file is reported when it is read
            selected.setdefault(os.path.realpath(path), path)
            continue
        try:
            yaml_paths = list_yaml_files(path)
        except InputError as error:
            problems += error.problems
            continue
        kinds = {file: file_kind(file) for file in yaml_paths}
        # Where none is of this kind, those whose kind nothing tells may be meant, and something is
        # wrong with them.
        of_this_kind = [file for file in yaml_paths if kinds[file] == kind] or [
            file for file in yaml_paths if kinds[file] is None
        ]
        selected |= {os.path.realpath(file): file for file in of_this_kind}
        other_paths |= {os.path.realpath(file) for file in yaml_paths}
        if not yaml_paths:
            problems.append(Problem(where=str(path), message="the folder holds no YAML file"))
        elif not of_this_kind:
            message = (
                f"the folder holds no {kind} file; `simworld check` looks at files of all kinds"
            )
            problems.append(Problem(where=str(path), message=message))
    return list(selected.values()), len(other_paths - selected.keys()), problems
