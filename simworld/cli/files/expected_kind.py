"""Reports a file of the wrong kind in one line, instead of by each key that it lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simworld.core.errors import InputError


@contextmanager
def expecting_kind(kind: str, name: str | Path) -> Iterator[None]:
    """The block reads the file `name` as one of `kind`. A file of another kind is reported as such,
    and its other problems are left out.

    Raises:
        InputError: the block's own, or that the file is of another kind.
    """
    try:
        yield
    except InputError:
        from simworld.cli.files.file_kinds import (
            file_kind,  # knows every kind, and is slow to import
        )

        path = Path(name)
        other = file_kind(path) if os.path.isfile(path) else None
        if other in (None, kind):
            raise
        raise InputError(f"{path}: expected {_article(kind)}, found {_article(other)}") from None


def _article(kind: str | None) -> str:
    if kind in ("pairs", None):
        return "a list of pairs"
    return f"an {kind}" if kind == "agent" else f"a {kind} file" if kind == "learn" else f"a {kind}"
