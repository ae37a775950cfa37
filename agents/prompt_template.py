"""Prompt files: a style and texts with named slots; and which of them are written out in other
languages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from simworld.language import PROMPT_SLOT, PROMPT_SLOTS, load_language
from simworld.yamlfile import load_yaml, parse

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
ALL_SLOTS = (*PROMPT_SLOTS, "who")


class PromptTemplate(BaseModel):
    """A prompt file: its style and its texts, with slots in double braces."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Literal["chat", "script"]
    system: str = Field(default="", description="System message; may be empty.")
    instructions: str = Field(
        default="", description="script: the user's message that comes before the dialogue."
    )
    opening: str = Field(
        default="(You speak first.)",
        description="chat: the user's message when nothing was said yet.",
    )
    addition: str = Field(
        default="", description="One more instruction, after all others, in every language."
    )

    @model_serializer(mode="wrap")
    def _without_addition(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the addition out where there is none: versions stay what they were before it."""
        content: dict[str, Any] = serialize(self)
        if not self.addition:
            content.pop("addition", None)
        return content

    @field_validator("system", "instructions", "opening", "addition")
    @classmethod
    def _known_slots(cls, text: str) -> str:
        if unknown := [slot for slot in PROMPT_SLOT.findall(text) if slot not in ALL_SLOTS]:
            raise ValueError(
                f"unknown slot {{{{{unknown[0]}}}}}; the slots are {', '.join(ALL_SLOTS)}"
            )
        return text

    @property
    def version(self) -> str:
        """48 bits of the SHA-256 of the template."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def introduces_seat(self) -> bool:
        """Whether one line holds both the seat's name and its persona, and so introduces it."""
        lines = "\n".join((self.system, self.instructions, self.opening)).splitlines()
        return any({"name", "persona"} <= set(PROMPT_SLOT.findall(line)) for line in lines)


@cache
def template_in_language(template: PromptTemplate, code: str) -> PromptTemplate:
    """A built-in prompt in the language; a prompt of one's own as it is, but for an opening that it
    leaves out. An addition ends its instructions, which a chat has in `system`.
    """
    place = "system" if template.style == "chat" else "instructions"
    plain = template.model_copy(update={"addition": ""})
    translated = _translate(plain, code)
    if not template.addition:
        return translated
    text = _append_sentence(getattr(translated, place).rstrip(), template.addition)
    return translated.model_copy(update={place: text})


def _append_sentence(text: str, sentence: str) -> str:
    """The sentence behind the last one, in the same line: a small model does what it says there
    rather more often than in a line of its own. A line whose slots may all be empty gets none.
    """
    slots = set(PROMPT_SLOT.findall(text.rpartition("\n")[2]))
    gap = " " if slots <= {"name"} else "\n"
    return f"{text}{gap}{sentence}".strip()


def _translate(template: PromptTemplate, code: str) -> PromptTemplate:
    words = load_language(code).prompts
    if words is None:  # English
        return template
    style = _built_in_styles().get(template.version)
    if style == "chat":
        return PromptTemplate(style=style, system=words.chat_system, opening=words.chat_opening)
    if style == "script":
        return PromptTemplate(
            style=style, system=words.script_system, instructions=words.script_instructions
        )
    default = PromptTemplate.model_fields["opening"].default
    return (
        template.model_copy(update={"opening": words.chat_opening})
        if template.opening == default
        else template
    )


@cache
def _built_in_styles() -> Mapping[str, Literal["chat", "script"]]:
    templates = [
        parse(load_yaml(path), PromptTemplate) for path in sorted(PROMPTS_FOLDER.glob("*.yaml"))
    ]
    return {template.version: template.style for template in templates}
