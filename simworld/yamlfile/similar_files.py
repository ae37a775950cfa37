"""Files that may have been meant where a name leads nowhere: of the same or a like name, beside or
in a folder nearby.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from simworld.yamlfile.file_search import SUFFIXES
from simworld.yamlfile.messages import did_you_mean

KIND_FOLDERS = ("scenarios", "personas", "rubrics", "agents", "prompts", "judges", "tournaments")
MAX_ENTRIES = 5_000  # entries looked at


def did_you_mean_file(
    name: str, folder: str, *, beside: Path = Path(), known: tuple[str, ...] = ()
) -> str:
    """`; did you mean 'agents/brief.yaml'?` for the nearest file or known name that is alike, else
    an empty text.

    Args:
        name: as it was given, with or without `.yaml`.
        folder: what people call the folder of such files: "agents". Those that are named for other
            kinds are left out.
        beside: the folder of the file that gives the name.
        known: names that need no file, such as those of a library.
    """
    stems = {word: word for word in known}
    for path in _nearby_files(Path(name).parent, beside, folder):
        stems.setdefault(
            path.stem, os.path.relpath(path, beside) if beside != Path() else str(path)
        )
    return did_you_mean(_stem(name), stems, display=stems.__getitem__)


def _stem(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix in SUFFIXES else path.name


def _nearby_files(named: Path, beside: Path, folder: str) -> Iterator[Path]:
    """The YAML files of the given folder, this one, and those in and beside it that may hold such
    files; nearest first.
    """
    remaining = MAX_ENTRIES
    visited: set[Path] = set()
    other_kinds = {name for name in KIND_FOLDERS if name != folder}
    deep = list(dict.fromkeys((named if named.is_absolute() else beside / named, beside, Path())))
    kind_folders = [
        current / folder
        for current in (beside, Path(), beside.parent if beside != Path() else Path(".."))
    ]
    folders = [*deep, *kind_folders]
    for i, current in enumerate(folders):
        if current in visited:
            continue
        visited.add(current)
        for entry in _folder_entries(current):
            remaining -= 1
            if remaining < 0:
                return
            path = current / entry.name
            if path.suffix in SUFFIXES:
                yield path
            elif (
                i < len(deep)
                and entry.name not in other_kinds
                and not entry.name.startswith(".")
                and _is_folder(entry)
            ):
                folders += [path, path / folder]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _folder_entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False)),
                key=lambda entry: entry.name,
            )
    except (OSError, ValueError):
        return []
