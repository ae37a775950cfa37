"""A page before it is drawn: the template and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simworld.web.app_state import AppState
from simworld.web.page_request import PageRequest
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page shows."""

    template: str
    title: str
    values: Mapping[str, Any]
    status: int = 200


PageMaker = Callable[[AppState, Store, PageRequest], Page]
