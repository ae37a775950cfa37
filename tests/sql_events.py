"""What happens in every database that SQLAlchemy opens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def at_each(name: str, do: Callable[..., Any]) -> Iterator[None]:
    """Calls `do` at each of SQLAlchemy's events of this name, "connect" or "before_cursor_execute"
    say."""
    event.listen(Engine, name, do)
    try:
        yield
    finally:
        event.remove(Engine, name, do)
