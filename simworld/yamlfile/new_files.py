"""Writing files that somebody is going to edit: never over one that is there, and all of them or
none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from simworld.core.errors import InputError, Problem


def write_new_files(texts: Mapping[Path, str]) -> None:
    """Writes files that must not exist yet. Raises InputError with the reasons if one cannot be
    written; then none was.
    """
    problems = [
        Problem(reason, str(path))
        for path, text in texts.items()
        if (reason := _why_not_writable(path, text))
    ]
    if problems:
        raise InputError(problems)
    written: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for done in written:  # a full disk leaves half a file
            done.unlink(missing_ok=True)
        reason = (
            "exists already"
            if isinstance(error, FileExistsError)
            else f"cannot be written: {error.strerror}"
        )
        raise InputError(reason, str(path)) from None


def _why_not_writable(path: Path, text: str) -> str:
    """Why a file cannot be written, as far as can be told before; empty if it seems that it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8 text; choose another --out"
    if os.path.lexists(path):
        return "exists already; choose another name or --out"
    return "" if os.path.isdir(path.parent) else "its folder does not exist"
