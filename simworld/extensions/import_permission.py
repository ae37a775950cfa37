"""Whether files may name code by a dotted path, `package.module:name`. Nothing is imported so
unless the person at the keyboard said it: a file that came by mail must not run code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_allowed: ContextVar[bool] = ContextVar("imports_allowed", default=False)


def imports_are_allowed() -> bool:
    """Whether dotted paths may be imported here."""
    return _allowed.get()


@contextmanager
def imports_allowed() -> Iterator[None]:
    """Inside, dotted paths in files are imported; also from the working folder, where nothing else
    has the name.
    """
    token = _allowed.set(True)
    folder = os.getcwd()
    if added := folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)  # last, so that it hides nothing
    try:
        yield
    finally:
        _allowed.reset(token)
        if added and folder in sys.path:
            sys.path.remove(folder)
