"""Addresses of pages: the path is that of the command (`simworld episode show ID` is
`/episode/show/ID`), filters are its query.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode


def link(path: str, *parts: object, **query: object) -> str:
    """An address within the site: parts of the path and values of the query quoted, those that are
    empty or None left out.
    """
    full = "/".join([path, *(quote(str(part), safe="") for part in parts)])
    fields = [(name, str(value)) for name, value in query.items() if value not in (None, "")]
    return f"{full}?{urlencode(fields)}" if fields else full
