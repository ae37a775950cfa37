"""The keys of a file that name an extension and give its settings.

A model that may name one has the name under a key of its own (`kind`, `method`, `measure`,
`learner`), and after it `settings`, validated by the extension's own model, and `extension`, which
pins what is meant: distribution, version and content, as they are written into what is stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from simworld.core.errors import InputError
from simworld.extensions.extension_table import Entry, ExtensionTable, one_line
from simworld.yamlfile import did_you_mean
from simworld.yamlfile.parsing import UNKNOWN_FIELD, fields_in_file, problem_texts

# context of validation: what was stored is taken as it is, installed or not
STORED = {"stored": True}


def extension_name(table: Callable[[], ExtensionTable[Any]], builtin: Iterable[str]) -> Any:
    """What an annotation of a name needs, `Annotated[str, *extension_name(…)]`: it is of the table,
    and editors offer simworld's own and take others.
    """

    def check(name: object, info: ValidationInfo) -> object:
        if not _is_stored(info):
            _find(table(), name)
        return name

    other = {"type": "string", "description": "An extension: `simworld extension list`."}
    schema = {"anyOf": [{"enum": own}, other]} if (own := list(builtin)) else other
    return BeforeValidator(check), WithJsonSchema(schema)


def settings_field() -> Any:
    """The field `settings`."""
    return Field(
        default=None,
        validate_default=True,
        description="Of an extension: its own settings.",
        json_schema_extra={"type": "object"},
    )


def pin_field() -> Any:
    """The field `extension`."""
    return Field(
        default="",
        validate_default=True,
        description=(
            "Of an extension: exactly which one, as it is stored; filled in where it is left out."
        ),
    )


def check_settings(table: Callable[[], ExtensionTable[Any]], key: str) -> Any:
    """The validator of `settings`: by the model of the extension that `key` names."""

    def check(value: object, info: ValidationInfo) -> object:
        if _is_stored(info) or key not in info.data:  # else the name itself is wrong, and reported
            return value
        entry = _find(table(), info.data[key])
        if not entry.identity:
            if value is None:
                return None
            raise ValueError(f"{entry.name!r} is no extension; its settings are keys of their own")
        return validated_settings(entry, value)

    return check


def check_pin(table: Callable[[], ExtensionTable[Any]], key: str) -> Any:
    """The validator of `extension`: filled in, or the one that is installed."""

    def check(value: str, info: ValidationInfo) -> str:
        if _is_stored(info) or key not in info.data:
            return value
        identity = _find(table(), info.data[key]).identity
        if value and value != identity:
            found = f"{identity!r} is installed" if identity else "it is simworld's own"
            raise ValueError(f"expected {value!r}, but {found}; install that one, or remove this")
        return identity

    return check


def drop_extension_fields(content: dict[str, Any]) -> dict[str, Any]:
    """The content without both keys where no extension is named: ids and hashes stay."""
    if not content.get("extension"):
        content.pop("settings", None)
        content.pop("extension", None)
    return content


def validated_settings(entry: Entry[Any], value: object) -> BaseModel:
    """The settings of an extension by its own model, as strict as files are.

    Raises ValidationError, its places below `settings`; ValueError where its model itself breaks.
    """
    model: type[BaseModel] = entry.declaration.settings
    if isinstance(value, model):
        return value
    data = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    try:
        return model.model_validate_json(json.dumps({} if data is None else data), strict=True)
    except ValidationError as error:
        if value is None:  # it has no place of its own
            said = "; ".join(problem_texts(error))
            raise ValueError(f"settings: {entry.name!r} needs some: {said}") from None
        raise _with_hints(model, error) from None
    except Exception as error:  # the boundary of another package's own code
        raise ValueError(
            f"the settings of {entry.name!r} ({entry.source}) cannot be checked: {one_line(error)}"
        ) from None


def _with_hints(model: type[BaseModel], error: ValidationError) -> ValidationError:
    """The same problems, an unknown field with the one that may have been meant: who reports it
    does not know the extension's model.
    """
    details = []
    for item in error.errors(include_url=False):
        kind: str | PydanticCustomError = item["type"]
        context: Mapping[str, Any] = item.get("ctx", {})
        loc = item["loc"]
        if kind == "extra_forbidden":
            hint = did_you_mean(loc[-1], fields_in_file(model)) if len(loc) == 1 else ""
            kind = PydanticCustomError(UNKNOWN_FIELD, "{text}", {"text": f"unknown field{hint}"})
        elif kind in ("value_error", "assertion_error"):
            text = str(context.get("error") or item["msg"])
            kind = PydanticCustomError("value_error", "{text}", {"text": text})
        detail = InitErrorDetails(type=kind, loc=loc, input=item["input"])
        if isinstance(kind, str) and context:
            detail["ctx"] = dict(context)
        details.append(detail)
    return ValidationError.from_exception_data(error.title, details, input_type="json")


def _find(table: ExtensionTable[Any], name: object) -> Entry[Any]:
    try:
        return table.find(name)
    except InputError as error:
        raise ValueError(str(error)) from None


def _is_stored(info: ValidationInfo) -> bool:
    return isinstance(info.context, Mapping) and bool(info.context.get("stored"))
