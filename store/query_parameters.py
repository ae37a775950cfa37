"""`:name` parameters in a user's SQL: which there are, and their values in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from simworld.core.errors import InputError
from store.column_types import UNSTORABLE

BoundValue = str | int | float | None

# Text, quoted names and comments are passed over; `::` is PostgreSQL's cast
_PARAMETER_OR_TEXT = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|(?<![:\w]):([A-Za-z_]\w*)""",
    re.DOTALL,
)


def parameter_names(sql: str) -> tuple[str, ...]:
    """The parameters of a statement without their colons, in order of first appearance."""
    return tuple(dict.fromkeys(match[2] for match in _PARAMETER_OR_TEXT.finditer(sql) if match[2]))


def check_parameters(sql: str, values: Mapping[str, BoundValue]) -> None:
    """Raises InputError unless every parameter has a value that can be stored, and every value a
    parameter.
    """
    names = parameter_names(sql)
    known = ", ".join(f":{name}" for name in names) or "none"
    if missing := [name for name in names if name not in values]:
        raise InputError(
            f"no value for {', '.join(f':{name}' for name in missing)}; the query's parameters are"
            f" {known}"
        )
    if unknown := [name for name in values if name not in names]:
        raise InputError(
            f"no parameter {', '.join(f':{name}' for name in unknown)} in the query; it has {known}"
        )
    for name, value in values.items():
        if isinstance(value, str) and UNSTORABLE.search(value):
            raise InputError(
                f"the value of :{name} has a character that stored texts cannot hold: {value!r}"
            )


def inline_values(sql: str, literal: Callable[[str], str]) -> str:
    """The statement with each parameter replaced by the literal that stands for its value."""
    return _PARAMETER_OR_TEXT.sub(lambda match: literal(match[2]) if match[2] else match[0], sql)
