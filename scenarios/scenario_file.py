"""The YAML format of scenarios and personas as pydantic models, and the JSON Schema that editors
complete it by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

import regex
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from simworld.core.errors import InputError
from simworld.core.scenario import ENGLISH, CheckKind, Relationship, TurnOrder
from simworld.language import language_codes, load_language
from simworld.yamlfile import shorten
from simworld.yamlfile.json_schema import json_schema

MAX_TEXT = 50_000  # characters of one field: more fits no model
MAX_SEATS = 64
MAX_LIST = 1_000

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FAMILY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PARAMETER = re.compile(r"[a-z][a-z0-9_-]*")
# some scripts join letters by hidden characters
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}\u200c\u200d]*")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class _OrPlaceholder:
    """Tells editors that `{{parameter}}` may stand here; it is replaced before validation."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "string", "pattern": r"^\{\{.*\}\}$"}]}


def _check_slug(text: str) -> str:
    if not SLUG.fullmatch(text):
        raise ValueError(
            "expected small letters a-z, digits and dashes, like 'last-ticket', found"
            f" '{shorten(text)}'"
        )
    return text


def _check_name_in_any_script(text: str) -> str:
    parts = text.split("-")
    if not all(part and part == part.lower() and _WORD.fullmatch(part) for part in parts):
        raise ValueError(
            "expected small letters of any script, digits and dashes, like 'night-nurse', found"
            f" '{shorten(text)}'"
        )
    return text


def _check_family(text: str) -> str:
    if not _FAMILY.fullmatch(text):
        raise ValueError(
            f"expected letters, digits, dots, dashes and underscores, found '{shorten(text)}'"
        )
    return text


def _check_parameter_name(text: str) -> str:
    if not _PARAMETER.fullmatch(text):
        raise ValueError(
            "expected a parameter's name: a small letter, then small letters, digits, dashes and"
            " underscores"
        )
    return text


def _check_language(code: str) -> str:
    try:
        return load_language(code).code
    except InputError as error:
        raise ValueError(str(error)) from None


def _list_codes(schema: JsonDict) -> None:
    schema["enum"] = list(language_codes())


def _check_printable(text: str) -> str:
    if control := _CONTROL.search(text):
        raise ValueError(f"control character U+{ord(control[0]):04X} in the text")
    return text


OptionalText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=MAX_TEXT),
    AfterValidator(_check_printable),
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT),
    AfterValidator(_check_printable),
]
Slug = Annotated[
    str, AfterValidator(_check_slug), Field(json_schema_extra={"pattern": f"^{SLUG.pattern}$"})
]
# For editors, which know no classes of letters: no capitals A-Z, spaces or punctuation of ASCII.
NameInAnyScript = Annotated[
    str,
    AfterValidator(_check_name_in_any_script),
    Field(json_schema_extra={"pattern": r"^[^\sA-Z!-,./:-@\[-`{-~]+$"}, max_length=200),
]
Family = Annotated[
    str, AfterValidator(_check_family), Field(json_schema_extra={"pattern": f"^{_FAMILY.pattern}$"})
]
ParameterName = Annotated[str, AfterValidator(_check_parameter_name)]
ParameterValue = bool | int | float | Text
LanguageCode = Annotated[str, AfterValidator(_check_language), Field(json_schema_extra=_list_codes)]
TurnCount = Annotated[int, Field(ge=1, le=100_000), _OrPlaceholder()]
Number = Annotated[float, Field(allow_inf_nan=False), _OrPlaceholder()]
Flag = Annotated[bool, _OrPlaceholder()]


class _ScenarioPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonaFields(_ScenarioPart):
    """Who a character is."""

    name: Text = Field(description="Full name.")
    short: OptionalText = Field(
        "", description="What others call them; default: made from the name, mostly its first word."
    )
    age: Annotated[int, Field(ge=0, le=150), _OrPlaceholder()] | None = Field(
        None, description="Years."
    )
    gender: OptionalText = ""
    pronouns: OptionalText = Field("", description="Like she/her.")
    occupation: OptionalText = ""
    public: OptionalText = Field("", description="Facts that acquaintances know.")
    personality: OptionalText = Field(
        "", description="Traits; friends, family and partners know them."
    )
    values: OptionalText = Field(
        "", description="What they hold dear; friends, family and partners know it."
    )


class SeatFields(_ScenarioPart):
    """A place at the table."""

    name: NameInAnyScript = Field(description="The role, known to all: seller, 卖家.")
    persona: Text | PersonaFields = Field(
        description="The name of a persona file without '.yaml', or a persona written in place."
    )
    goal: Text = Field(description="What this seat wants; private.")
    knows: OptionalText = Field("", description="What only this seat knows.")
    secret: OptionalText = Field(
        "", description="What this seat would rather not have known; never shown to another."
    )


class RelationshipFields(_ScenarioPart):
    """What two seats are to each other."""

    between: tuple[Text, Text] = Field(description="Two seats.")
    kind: Relationship = Field(alias="is")


class LimitsFields(_ScenarioPart):
    """When a conversation is cut."""

    turns: TurnCount = Field(20, description="The conversation ends after so many turns.")
    silence: TurnCount = Field(
        2, description="It ends after so many turns in a row in which nobody did anything."
    )


class CheckFields(_ScenarioPart):
    """A question to the dialogue that needs no judge."""

    name: NameInAnyScript = Field(
        description="Small letters of any script, digits and dashes: price, 成交."
    )
    kind: CheckKind = Field(
        description=(
            "regex: the pattern occurs. keyword: one of the words occurs. number: the pattern's"
            " first group is a number within `between`."
        )
    )
    pattern: Annotated[str, Field(min_length=1, max_length=2_000)] = ""
    words: tuple[Text, ...] = Field(
        (), max_length=MAX_LIST, description="For keyword: whole words, case ignored."
    )
    by: OptionalText = Field("", description="Only what this seat says; default: anyone.")
    between: tuple[Number, Number] | None = Field(
        None, description="For number: lowest and highest, both included."
    )
    last: Flag = Field(
        False, description="For number: read the last occurrence instead of the first."
    )
    absent: Flag = Field(False, description="For regex and keyword: holds when nothing occurs.")
    ends: Flag = Field(False, description="The episode ends once the check holds.")


class ScenarioFile(_ScenarioPart):
    """A simworld scenario: who sits at the table, what each wants and knows, and the rules of the
    conversation.
    """

    name: Slug = Field(
        description="Small letters, digits and dashes; unique among the scenarios of a run."
    )
    title: OptionalText = ""
    family: Family | None = Field(
        None, description="The statistical unit: scenarios of one idea. Default: the name."
    )
    kind: OptionalText = Field("", description="A word like bargaining, persuasion or consoling.")
    tags: tuple[Text, ...] = Field((), max_length=MAX_LIST)
    setting: Text = Field(description="What everybody at the table sees and knows.")
    judge_note: OptionalText = Field("", description="Background that only a judge reads.")
    relationship: Relationship = Field(
        Relationship.stranger, description="For every pair that `relationships` does not name."
    )
    relationships: tuple[RelationshipFields, ...] = Field(
        (), max_length=MAX_LIST, description="Pair by pair."
    )
    seats: tuple[SeatFields, ...] = Field(min_length=2, max_length=MAX_SEATS)
    order: TurnOrder = TurnOrder.round_robin
    limits: LimitsFields = LimitsFields()
    checks: tuple[CheckFields, ...] = Field((), max_length=MAX_LIST)
    language: LanguageCode = Field(
        ENGLISH,
        description="Of the words that simworld itself writes into prompts and transcripts.",
    )
    rubric: Text = Field("sotopia", description="What is judged.")
    meta: Mapping[str, OptionalText] = Field(
        {}, description="Where it came from: words for people, read by nothing."
    )
    parameters: Mapping[ParameterName, ParameterValue] = Field(
        {}, description="Names and default values for `{{name}}` in the texts."
    )
    matrix: Mapping[ParameterName, Annotated[tuple[ParameterValue, ...], Field(min_length=1)]] = (
        Field(
            {},
            description=(
                "Lists of values; each combination becomes a scenario named"
                " <name>.<parameter>-<value>."
            ),
        )
    )


def scenario_json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, as committed beside the library."""
    return json_schema(ScenarioFile, "simworld scenario")


def persona_json_schema() -> dict[str, Any]:
    """The JSON Schema of a persona file."""
    return json_schema(PersonaFields, "simworld persona")


def schema_text(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
