"""Files that others made, read whole: only what is a file, and no more of it than belongs there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from simworld.core.errors import InputError


def regular_file_size(path: Path) -> int:
    """The bytes of a file. Raises InputError, one line, where there is none, or it is a folder, a
    pipe or a device.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise InputError(
            "is a link to nothing" if os.path.islink(path) else "no such file", str(path)
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {_reason(error)}", str(path)) from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError("is a folder; expected a file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is a pipe, a socket or a device; expected a file", str(path))
    return status.st_size


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The content of a file of at most `max_bytes`. Raises InputError, one line, also as
    `regular_file_size`.
    """
    size = regular_file_size(path)
    if size > max_bytes:
        raise InputError(
            f"is larger than {max_bytes >> 20} MiB, the most that is read here", str(path)
        )
    try:
        with path.open("rb") as file:
            return file.read(size)  # room is made for as much as is asked for
    except OSError as error:
        raise InputError(f"cannot be read: {_reason(error)}", str(path)) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
