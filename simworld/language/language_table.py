"""What a language's table holds, and how it is found and read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from string import Formatter
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from simworld.core.errors import InputError
from simworld.core.scenario import ENGLISH as ENGLISH
from simworld.core.scenario import Relationship
from simworld.yamlfile import did_you_mean, load_text, parse, shorten

# of prompts, in double braces
PROMPT_SLOTS = ("setting", "name", "persona", "others", "goal", "knows", "secret")
PROMPT_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def _names_slots(*slots: str) -> AfterValidator:
    """Checks that a text names each of the slots in single braces, and no other."""

    def check(text: str) -> str:
        try:
            written = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        except ValueError as error:
            raise ValueError(f"braces that do not match: {error}") from None
        if written != set(slots):
            wanted = ", ".join(f"{{{slot}}}" for slot in slots)
            raise ValueError(
                f"expected {wanted}, found"
                f" {', '.join(f'{{{name}}}' for name in sorted(written)) or 'no slot'}"
            )
        return text

    return AfterValidator(check)


def _check_prompt_slots(text: str) -> str:
    slots = set(PROMPT_SLOT.findall(text))
    if missing := [slot for slot in PROMPT_SLOTS if slot not in slots]:
        raise ValueError(
            f"{{{{{missing[0]}}}}} is missing; a prompt holds each of {', '.join(PROMPT_SLOTS)}"
        )
    if unknown := slots - set(PROMPT_SLOTS):
        raise ValueError(
            f"unknown slot {{{{{min(unknown)}}}}}; the slots are {', '.join(PROMPT_SLOTS)}"
        )
    return text


def _check_every_relationship(words: Mapping[Relationship, str]) -> Mapping[Relationship, str]:
    if missing := [
        relationship.value for relationship in Relationship if relationship not in words
    ]:
        raise ValueError(f"no words for {', '.join(missing)}")
    return words


NonEmptyText = Annotated[str, Field(min_length=1)]
Relations = Annotated[
    Mapping[Relationship, NonEmptyText], AfterValidator(_check_every_relationship)
]


class _WordTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptWords(_WordTable):
    """The built-in prompts `chat` and `script` in this language, with the slots of prompt files in
    double braces.
    """

    chat_system: Annotated[NonEmptyText, AfterValidator(_check_prompt_slots)]
    chat_opening: NonEmptyText
    script_system: NonEmptyText
    script_instructions: Annotated[NonEmptyText, AfterValidator(_check_prompt_slots)]


class PersonaWords(_WordTable):
    """How a person is described."""

    comma: NonEmptyText
    stop: NonEmptyText = Field(
        description="Ends a sentence that another one follows, the space included."
    )
    age: Annotated[str, _names_slots("age")]
    pronouns: Annotated[str, _names_slots("pronouns")] = Field(
        description="Follows without a comma, the space included."
    )
    nobody: NonEmptyText = Field(
        description="Of whom nothing is known but a short name: 'one of the people here'."
    )


class OtherWords(_WordTable):
    """How the others at the table are listed for a seat."""

    relations: Relations
    bare: Annotated[str, _names_slots("who", "relation")]
    about: Annotated[str, _names_slots("who", "relation", "about")]
    left: NonEmptyText
    between: str = Field(description="Between two of them.")


class ActWords(_WordTable):
    """How earlier acts are shown; deeds stand in square brackets in every language."""

    line: Annotated[str, _names_slots("who", "text")]
    private_line: Annotated[str, _names_slots("who", "to", "text")]
    private: Annotated[str, _names_slots("to", "text")] = Field(
        description="A seat's own private act in a chat."
    )
    to: Annotated[str, _names_slots("names")] = Field(
        description="The mark of privacy; replies must be read by it."
    )
    comma: NonEmptyText
    after: Annotated[str, _names_slots("text", "deed")] = Field(
        description="Words that are followed by a deed."
    )
    leaves: NonEmptyText
    says_nothing: NonEmptyText
    wait: NonEmptyText = Field(description="chat: the user's message where the seat spoke last.")
    whom: Annotated[str, _names_slots("marks")] = Field(
        description="After a mark of privacy that means nobody here."
    )
    either: NonEmptyText = Field(description="Between two such marks, spaces included.")
    alone: NonEmptyText = Field(description="The same where nobody else is left.")


class JudgeWords(_WordTable):
    """How a judge is shown an episode; the questions are the rubric's."""

    goal: Annotated[str, _names_slots("whose", "text")]
    knows: Annotated[str, _names_slots("who", "text")]
    secret: Annotated[str, _names_slots("whose", "text")]
    persona: Annotated[str, _names_slots("who", "text")]
    whose: Annotated[str, _names_slots("who")]
    whose_after_s: Annotated[str, _names_slots("who")] | None = Field(
        default=None, description="After a name that ends in s."
    )
    relations: Relations
    between: Annotated[str, _names_slots("one", "other", "relation")]
    line: Annotated[str, _names_slots("who", "text")]
    private_line: Annotated[str, _names_slots("who", "names", "text")]
    conjunction: NonEmptyText = Field(description="Between two names, spaces included.")
    leaves: NonEmptyText
    silence: NonEmptyText
    cut_off: NonEmptyText
    sentence_ends: tuple[NonEmptyText, ...] = Field(
        min_length=1, description="The first one is put where none is."
    )
    between_sentences: str


class Language(_WordTable):
    """Everything that simworld writes in one language around the words of authors and models."""

    code: NonEmptyText
    name: NonEmptyText = Field(description="In English.")
    addresses: NonEmptyText = Field(description="For people: how the prompts address a seat.")
    prompts: PromptWords | None = Field(
        default=None, description="Left out for English, whose prompts are files."
    )
    persona: PersonaWords
    others: OtherWords
    acts: ActWords
    judge: JudgeWords

    @model_validator(mode="after")
    def _has_prompts(self) -> Self:
        if self.prompts is None and self.code != ENGLISH:
            raise ValueError("prompts: required for every language but English")
        return self

    @property
    def version(self) -> str:
        """24 bits of the SHA-256 of the table: part of the version of every prompt in this
        language.
        """
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:6]

    def speaker_label(self, who: str) -> str:
        """`Nadia:`, the beginning of somebody's line."""
        return self.acts.line.format(who=who, text="").rstrip()


def language_codes() -> tuple[str, ...]:
    """The codes of the shipped languages, sorted."""
    return tuple(
        sorted(
            path.name.removesuffix(".yaml")
            for path in _tables_folder().iterdir()
            if path.name.endswith(".yaml")
        )
    )


@cache
def load_language(code: str) -> Language:
    """The table of a language. Raises InputError if there is none, or with every problem of its
    file.
    """
    if code not in language_codes():
        hint = did_you_mean(code, language_codes()) or f"; there are {', '.join(language_codes())}"
        raise InputError(f"no language '{shorten(code)}'{hint}")
    language = parse(
        load_text((_tables_folder() / f"{code}.yaml").read_text("utf-8"), f"{code}.yaml"), Language
    )
    if language.code != code:
        raise InputError(f"{code}.yaml: code: expected '{code}', found '{language.code}'")
    return language


def _tables_folder() -> Traversable:
    return resources.files("simworld.language") / "tables"
