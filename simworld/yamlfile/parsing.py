"""From a document to a pydantic model: every validation error becomes a problem with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem
from simworld.yamlfile.document import Document, YamlPath
from simworld.yamlfile.messages import (
    closest_match,
    constraint_message,
    did_you_mean,
    dotted_path,
    expected_type,
    join_with_and,
    type_message,
)

Model = TypeVar("Model", bound=BaseModel)

UNKNOWN_FIELD = "unknown_field"  # the type of that problem in the settings of an extension
MAX_PROBLEMS = 100  # of one file; a file of another kind would fill the screen otherwise
_FROM_DOCUMENT = object()


def parse(document: Document, model: type[Model], *, data: Any = _FROM_DOCUMENT) -> Model:
    """The document as a model; `data` replaces the document's own (after substitution) under the
    same places.

    Validation is strict, as for JSON: a number is not text, text is no number, 1.0 is no whole
    number. Lists become tuples and texts enum members. Raises InputError with every problem, in the
    order of the file.
    """
    value = document.data if data is _FROM_DOCUMENT else data
    if value is None:
        raise InputError("the file is empty", f"{document.name}:1:1")
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise InputError(_problems(document, model, value, error)) from None


def problem_texts(error: ValidationError) -> list[str]:
    """The problems of data that has no YAML document behind it: `seats.1.goal: required field is
    missing`.
    """
    texts = []
    errors = error.errors(include_url=False)
    for item in errors[:MAX_PROBLEMS]:
        kind = item["type"]
        if kind == "missing":
            message = "required field is missing"
        elif kind == "extra_forbidden":
            message = "unknown field"
        elif expected_type(kind):
            message = type_message([kind], item["input"], None)
        else:
            message = constraint_message(kind, item, item["input"], None)
        texts.append(f"{dotted_path(item['loc'])}: {message}" if item["loc"] else message)
    if len(errors) > MAX_PROBLEMS:
        texts.append(f"… and {counted(len(errors) - MAX_PROBLEMS, 'more problem')}")
    return list(dict.fromkeys(texts))


def _problems(
    document: Document, model: type[BaseModel], data: Any, error: ValidationError
) -> list[Problem]:
    errors = error.errors(include_url=False)
    by_loc: dict[YamlPath, list[Mapping[str, Any]]] = {}
    for item in errors:
        by_loc.setdefault(_loc_in_file(document, item), []).append(item)
    # places with a problem somewhere beneath
    parent_locs = {loc[:i] for loc in by_loc for i in range(len(loc))}
    misspelt = _misspelt_fields(model, data, by_loc)
    problems: list[Problem] = []
    for loc, items in sorted(
        by_loc.items(),
        key=lambda entry: document.line_and_column(entry[0], key=_concerns_key(entry[1])),
    ):
        kinds = {item["type"] for item in items}
        if "missing" in kinds and loc in misspelt:
            continue
        if loc in parent_locs and all(expected_type(kind) or kind == "too_short" for kind in kinds):
            # the branch of a union that was not meant, or a list whose entries are wrong already
            continue
        if len(problems) >= MAX_PROBLEMS:
            more = f"… and {counted(len(errors) - len(problems), 'more problem')}"
            return [*problems, Problem(more, document.name)]
        key = _concerns_key(items)
        problems += [
            document.problem(loc, message, key=key)
            for message in _messages(document, model, data, loc, items)
        ]
    return problems


def _misspelt_fields(
    model: type[BaseModel], data: Any, by_loc: Mapping[YamlPath, list[Mapping[str, Any]]]
) -> set[YamlPath]:
    """The missing fields that a misspelt neighbour stands for: they are not reported again."""
    misspelt: set[YamlPath] = set()
    unknown_locs = [loc for loc, items in by_loc.items() if items[0]["type"] == "extra_forbidden"]
    for loc in unknown_locs[:MAX_PROBLEMS]:
        fields = _fields_at(model, loc[:-1])
        present = _value_at(data, loc[:-1])
        absent = [name for name in fields if not (isinstance(present, dict) and name in present)]
        if (name := closest_match(loc[-1], absent or fields)) is not None:
            misspelt.add((*loc[:-1], name))
    return misspelt


def _concerns_key(items: list[Mapping[str, Any]]) -> bool:
    """Whether the problem is the key itself and not its value."""
    of_key = ("extra_forbidden", UNKNOWN_FIELD)
    return any(item["type"] in of_key or "[key]" in item["loc"] for item in items)


def _loc_in_file(document: Document, item: Mapping[str, Any]) -> YamlPath:
    loc: YamlPath = tuple(part for part in item["loc"] if part != "[key]")
    if item["type"] == "missing":
        return (*document.existing_loc(loc[:-1]), loc[-1])
    return document.existing_loc(loc)


def _messages(
    document: Document,
    model: type[BaseModel],
    data: Any,
    loc: YamlPath,
    items: list[Mapping[str, Any]],
) -> list[str]:
    value = _value_at(data, loc)
    raw_text = document.raw_text(loc) if value == _value_at(document.data, loc) else None
    kinds = [item["type"] for item in items]
    if all(expected_type(kind) for kind in kinds):
        return [type_message(kinds, value, raw_text)]
    messages: list[str] = []
    for item in items:
        kind = item["type"]
        if kind == "extra_forbidden":
            hint = did_you_mean(loc[-1], _fields_at(model, loc[:-1]))
            if owners := _blocks_that_have(model, loc):
                have = "has" if len(owners) == 1 else "have"
                hint = f"; {join_with_and(owners)} {have} one of that name"
            messages.append(f"unknown field{hint}")
        elif kind == "missing":
            messages.append("required field is missing")
        elif not expected_type(kind):
            messages.append(constraint_message(kind, item, value, raw_text))
    return list(dict.fromkeys(messages))


def _value_at(data: Any, loc: YamlPath) -> Any:
    for part in loc:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields_at(model: type[BaseModel], loc: YamlPath) -> list[str]:
    """The names of the fields that a mapping at `loc` may have."""
    types: list[Any] = [model]
    for part in loc:
        types = [part_type for kind in types for part_type in _types_at_part(kind, part)]
    names = [name for kind in types for m in _models(kind) for name in fields_in_file(m)]
    return list(dict.fromkeys(names))


def _blocks_that_have(model: type[BaseModel], loc: YamlPath) -> list[str]:
    """The mappings beneath that of an unknown field, or beside it, that may have a field of its
    name, in quotes.
    """
    places = [loc[:-1], loc[:-2]] if len(loc) > 1 else [loc[:-1]]
    return list(
        dict.fromkeys(
            f"'{name}'"
            for place in places
            for name in _fields_at(model, place)
            if (*place, name) != loc[:-1] and loc[-1] in _fields_at(model, (*place, name))
        )
    )


def _types_at_part(kind: Any, part: str | int) -> list[Any]:
    if isinstance(part, str):
        models = _models(kind)
        field_types = [f.annotation for m in models if (f := fields_in_file(m).get(part))]
        if field_types:
            return field_types
    return list(_models(kind)) or [kind]


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models inside an annotation: of a union's branches, of a list's or mapping's entries."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [m for argument in get_args(kind) for m in _models(argument)]


def fields_in_file(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the names that they have in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}
