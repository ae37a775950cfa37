"""JSON schemas of files, for editors: one line for each paragraph of a description, however the
docstring that it comes from is wrapped.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

_WRAPPED = re.compile(r"(?<!\n)\n(?!\n)")


def json_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The model's JSON schema under a title."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **_unwrapped(model.model_json_schema()), "title": title}


def _unwrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unwrapped(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _WRAPPED.sub(" ", part)
        if name == "description" and isinstance(part, str)
        else _unwrapped(part)
        for name, part in value.items()
    }
