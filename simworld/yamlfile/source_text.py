"""From a file to its text: size, encoding and control characters are checked before YAML sees
anything.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from simworld.core.errors import InputError

MAX_BYTES = 4 * 1024 * 1024
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")


def read_source_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file of at most `max_bytes`. Raises InputError with one line that says
    why it cannot be read.
    """
    name = str(path)
    try:
        # A named pipe without a writer would be waited for without end; those that a shell opens
        # are in /dev.
        if stat.S_ISFIFO(os.stat(path).st_mode) and not name.startswith("/dev/"):
            raise InputError("is a pipe, not a file", name)
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError(
            "is a link to nothing" if os.path.islink(path) else "no such file", name
        ) from None
    except IsADirectoryError:
        raise InputError("is a folder; name a file", name) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot be read: {reason}", name) from None
    if len(raw) > max_bytes:
        raise InputError(
            f"is larger than {max_bytes // 1024 // 1024} MiB, the most that is read", name
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = (
            f"is not UTF-8 text: byte 0x{raw[error.start]:02x} in line {line}; save the file as"
            " UTF-8"
        )
        raise InputError(message, name) from None
    refuse_control_characters(text, name)
    return text


def refuse_control_characters(text: str, name: str) -> None:
    """Raises InputError, with the place, if the text holds a control character (as binary files
    do).
    """
    if control := CONTROL_CHARACTERS.search(text):
        line = text.count("\n", 0, control.start()) + 1
        column = control.start() - (text.rfind("\n", 0, control.start()) + 1) + 1
        message = f"control character U+{ord(control[0]):04X}: this is not a text file"
        raise InputError(message, f"{name}:{line}:{column}")
