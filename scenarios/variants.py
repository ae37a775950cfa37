"""Variants: `{{name}}` in the texts, defaults in `parameters`, and a `matrix` of values that makes
one scenario each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from simworld.core.errors import Problem
from simworld.yamlfile import Document, YamlPath, did_you_mean

MAX_VARIANTS = 1_000
MAX_SLUG_LENGTH = 40
# characters of all variants together; what holds no text counts as ten
MAX_EXPANDED_LENGTH = 20_000_000

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")
LITERAL_KEYS = frozenset({"name", "family", "parameters", "matrix"})
VariantValue = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One combination of the matrix: what its name ends with, and the file's data with every
    placeholder replaced.
    """

    suffix: str  # ".price-50.mood-calm", empty without a matrix
    data: Any


def expand_variants(document: Document) -> tuple[tuple[Variant, ...], list[Problem]]:
    """The variants of a file, in the order of its matrix, and the problems of its parameters.

    Where parameters are wrong the file comes back once and unreplaced, so that its other problems
    can be found too.
    """
    data = document.data
    if not isinstance(data, dict):
        return (Variant(suffix="", data=data),), []
    placeholders = list(_placeholders(data))
    defaults, axes, problems = _declared_parameters(document, data)
    names = {*defaults, *axes}
    problems += _usage_problems(document, placeholders, names)
    problems += _matrix_problems(document, axes)
    problems += _size_problems(document, defaults, axes)
    if problems or not names:
        return (Variant(suffix="", data=data),), problems
    variants = []
    for combination in product(
        *([(name, i) for i in range(len(values))] for name, values in axes.items())
    ):
        values = {
            name: (value, document.raw_text(("parameters", name)))
            for name, value in defaults.items()
        }
        for name, i in combination:
            values[name] = (axes[name][i], document.raw_text(("matrix", name, i)))
        suffix = "".join(f".{slugify(name)}-{slugify(values[name][0])}" for name, _ in combination)
        replaced = {
            key: value if key in LITERAL_KEYS else _substitute(value, (key,), values)
            for key, value in data.items()
        }
        variants.append(Variant(suffix=suffix, data=replaced))
    return tuple(variants), problems


def has_unfilled_values(data: Any) -> bool:
    """Whether a placeholder still stands where no text is expected, so that the data cannot be
    validated.
    """
    return any(is_value_field(loc) for loc, _ in _placeholders(data))


def is_value_field(loc: YamlPath) -> bool:
    """Whether the field at `loc` holds a number or a truth value, and no text."""
    match tuple(loc):
        case ("limits", _) | ("checks", _, "last" | "absent" | "ends"):
            return True
        case ("checks", _, "between", _) | ("seats", _, "persona", "age"):
            return True
    return False


def slugify(value: VariantValue) -> str:
    """A value as part of a name: small letters, digits and dashes; empty if nothing of it can be
    kept.
    """
    text = str(value).lower() if not isinstance(value, bool) else ("true" if value else "false")
    if isinstance(value, int | float) and not isinstance(value, bool) and text.startswith("-"):
        text = f"minus{text}"
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:MAX_SLUG_LENGTH].rstrip("-")


def _declared_parameters(
    document: Document, data: Mapping[str, Any]
) -> tuple[dict[str, VariantValue], dict[str, list[VariantValue]], list[Problem]]:
    """What the file declares, as far as it has the right shape (the schema reports the rest)."""
    problems = []
    parameters, matrix = data.get("parameters"), data.get("matrix")
    defaults = _valid_entries(parameters, _is_value)
    axes = _valid_entries(
        matrix,
        lambda values: isinstance(values, list) and bool(values) and all(map(_is_value, values)),
    )
    declared_values: list[tuple[YamlPath, VariantValue]] = [
        (("parameters", n), v) for n, v in defaults.items()
    ]
    declared_values += [
        (("matrix", n, i), v) for n, values in axes.items() for i, v in enumerate(values)
    ]
    for loc, value in declared_values:
        if isinstance(value, str) and "{{" in value:
            problems.append(
                document.problem(loc, "a parameter's value cannot refer to another parameter")
            )
    return defaults, axes, problems


def _usage_problems(
    document: Document, placeholders: list[tuple[YamlPath, str]], declared_names: set[str]
) -> list[Problem]:
    problems = []
    for loc, name in placeholders:
        if not name:
            problems.append(document.problem(loc, "'{{' without a parameter's name and '}}'"))
        elif loc[0] in LITERAL_KEYS:
            if loc[0] in ("name", "family"):
                problems.append(
                    document.problem(
                        loc, "a parameter cannot stand here; the matrix names its variants"
                    )
                )
        elif name not in declared_names:
            message = (
                f"unknown parameter '{name}'; declare it in parameters or"
                f" matrix{did_you_mean(name, declared_names)}"
            )
            problems.append(document.problem(loc, message))
    used_names = {name for loc, name in placeholders if loc[0] not in LITERAL_KEYS}
    for section in ("parameters", "matrix"):
        entries = document.data.get(section)
        for name in entries if isinstance(entries, dict) else ():
            if name not in used_names and (
                section == "parameters" or name not in (document.data.get("parameters") or {})
            ):
                undeclared_names = [other for other in used_names if other not in declared_names]
                message = (
                    f"nothing uses this parameter; write {{{{{name}}}}} in a"
                    f" text{did_you_mean(name, undeclared_names)}"
                )
                problems.append(document.problem((section, name), message, key=True))
    return problems


def _matrix_problems(document: Document, axes: Mapping[str, list[VariantValue]]) -> list[Problem]:
    problems = []
    count = prod(map(len, axes.values()))
    if count > MAX_VARIANTS:
        message = f"{count:,} combinations; at most {MAX_VARIANTS:,} are expanded"
        problems.append(document.problem(("matrix",), message, key=True))
    for name, values in axes.items():
        first_index: dict[str, int] = {}
        for i, value in enumerate(values):
            slug = slugify(value)
            if not slug:
                problems.append(
                    document.problem(
                        ("matrix", name, i), "needs a letter a-z or a digit, for the variant's name"
                    )
                )
            elif slug in first_index:
                message = (
                    f"gives the same name as entry {first_index[slug] + 1},"
                    f" '{slugify(name)}-{slug}'"
                )
                problems.append(document.problem(("matrix", name, i), message))
            first_index.setdefault(slug, i)
    return problems


def _size_problems(
    document: Document, defaults: Mapping[str, VariantValue], axes: Mapping[str, list[VariantValue]]
) -> list[Problem]:
    """Values written into texts many times over, in many variants, would need more memory than
    there is.
    """
    lengths = {name: len(str(value)) for name, value in defaults.items()}
    lengths |= {name: max(len(str(value)) for value in values) for name, values in axes.items()}
    count = prod(map(len, axes.values()))
    size = count * _expanded_length(
        {key: document.data[key] for key in document.data if key not in LITERAL_KEYS}, lengths
    )
    if not lengths or count > MAX_VARIANTS or size <= MAX_EXPANDED_LENGTH:
        return []
    section = "matrix" if axes else "parameters"
    message = (
        f"the variants would hold {size:,} characters together; at most {MAX_EXPANDED_LENGTH:,}"
        " are written"
    )
    return [document.problem((section,), message, key=True)]


def _expanded_length(data: Any, lengths: Mapping[str, int]) -> int:
    """How long the data is with every placeholder replaced by its longest value."""
    if isinstance(data, dict):
        return sum(10 + _expanded_length(value, lengths) for value in data.values())
    if isinstance(data, list):
        return sum(10 + _expanded_length(value, lengths) for value in data)
    if not isinstance(data, str):
        return 0
    return len(data) + sum(lengths.get(match[1], 0) for match in _PLACEHOLDER.finditer(data))


def _placeholders(data: Any, loc: YamlPath = ()) -> Iterator[tuple[YamlPath, str]]:
    """Every placeholder with its place; an empty name for `{{` that begins none."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _placeholders(value, (*loc, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _placeholders(value, (*loc, i))
    elif isinstance(data, str) and "{{" in data:
        for match in _PLACEHOLDER.finditer(data):
            yield loc, match[1]
        # a pattern may have braces of its own
        is_pattern = loc[0] == "checks" and loc[-1] == "pattern"
        if "{{" in _PLACEHOLDER.sub("", data) and not is_pattern and loc[0] not in LITERAL_KEYS:
            yield loc, ""


def _substitute(
    data: Any, loc: YamlPath, values: Mapping[str, tuple[VariantValue, str | None]]
) -> Any:
    if isinstance(data, dict):
        return {key: _substitute(value, (*loc, key), values) for key, value in data.items()}
    if isinstance(data, list):
        return [_substitute(value, (*loc, i), values) for i, value in enumerate(data)]
    if not isinstance(data, str) or "{{" not in data:
        return data
    whole = _PLACEHOLDER.fullmatch(data.strip())
    if whole and is_value_field(loc):
        return values[whole[1]][0]
    return _PLACEHOLDER.sub(lambda match: _value_text(*values[match[1]]), data)


def _value_text(value: VariantValue, raw_text: str | None) -> str:
    return raw_text if raw_text is not None else str(value)


def _valid_entries(section: Any, is_valid: Callable[[Any], bool]) -> dict[str, Any]:
    return (
        {name: value for name, value in section.items() if is_valid(value)}
        if isinstance(section, dict)
        else {}
    )


def _is_value(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""
