"""Finds YAML files by folder or glob. Links to folders are not followed, and the number of entries
looked at is limited.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from simworld.core.errors import InputError

SUFFIXES = (".yaml", ".yml")
MAX_ENTRIES = 100_000  # looked at for one folder or glob
MAX_FILES = 10_000  # found by one
MAX_DEPTH = 200  # folders in folders


def is_glob(text: str) -> bool:
    """Whether a text is a pattern over names: it holds one of `*?[`."""
    return any(mark in text for mark in "*?[")


def list_yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder and its subfolders, sorted; hidden ones and linked folders are
    left out.

    Raises:
        InputError: the folder cannot be read, or holds too much.
    """
    try:
        os.listdir(folder)  # subfolders that cannot be read are passed over, this one is not
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", str(folder)) from None
    entries = _walk_pattern(folder, ("**", "*"), _entry_counter(str(folder)))
    return _sorted_files(
        str(folder), (path for path in entries if path.suffix in SUFFIXES and os.path.isfile(path))
    )


def glob_yaml_files(pattern: str, beside: Path = Path()) -> list[Path]:
    """The YAML files that a pattern of `*`, `?`, `[…]` and `**` (any folders) matches, sorted;
    empty if none.

    A relative pattern begins in the folder `beside`. Hidden files are left out, and `**` follows no
    links.

    Raises:
        InputError: it would look at too much of the disk, or finds too many files.
    """
    if "\0" in pattern:
        return []
    path = Path(pattern)
    start, parts = (
        (Path(path.anchor), path.parts[1:]) if path.is_absolute() else (beside, path.parts)
    )
    entries = _walk_pattern(start, _merge_globstars(parts), _entry_counter(pattern))
    return _sorted_files(
        pattern, (path for path in entries if path.suffix in SUFFIXES and os.path.isfile(path))
    )


def _walk_pattern(folder: Path, parts: Sequence[str], count: Callable[[], None]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first != "**" and not is_glob(first):
        if os.path.lexists(folder / first):
            yield from _walk_pattern(folder / first, rest, count)
        return
    if first == "**":
        yield from _walk_pattern(folder, rest, count)
    for entry in _folder_entries(folder, count):
        if first == "**":
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _walk_pattern(folder / entry.name, parts, count)
        elif fnmatchcase(entry.name, first) and (
            first.startswith(".") or not entry.name.startswith(".")
        ):
            yield from _walk_pattern(folder / entry.name, rest, count)


def _folder_entries(folder: Path, count: Callable[[], None]) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; nothing if it is none, or cannot be read."""
    if len(folder.parts) > MAX_DEPTH:
        raise InputError(f"folders more than {MAX_DEPTH} deep", str(folder)[:80])
    inside = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                count()
                inside.append(entry)
    except (OSError, ValueError):
        return []
    return sorted(inside, key=lambda entry: entry.name)


def _merge_globstars(parts: Sequence[str]) -> tuple[str, ...]:
    """The parts with one `**` for several in a row, which would look at everything several
    times.
    """
    return tuple(
        part for i, part in enumerate(parts) if part != "**" or parts[i - 1 : i] != ("**",)
    )


def _entry_counter(where: str) -> Callable[[], None]:
    remaining = MAX_ENTRIES

    def count() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining < 0:
            message = (
                f"more than {MAX_ENTRIES:,} files and folders to look through; name a folder"
                " further down"
            )
            raise InputError(message, where)

    return count


def _sorted_files(where: str, paths: Iterator[Path]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        files[path] = None
        if len(files) > MAX_FILES:
            raise InputError(f"more than {MAX_FILES:,} YAML files; name fewer", where)
    return sorted(files)
