"""Text and data as commands print them: nothing in them can move the cursor or forge output."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import click

from simworld.core.text import HIDDEN_CATEGORIES, JOINERS, harmless

__all__ = ["harmless", "plain_json", "print_json", "say"]


def say(text: str, *, err: bool = False) -> None:
    """Prints a text, made harmless, on stdout or stderr."""
    click.echo(harmless(text), err=err)


def print_json(data: Any, *, indent: int | None = None) -> None:
    """Prints the data as `plain_json`."""
    click.echo(plain_json(data, indent=indent))


def plain_json(
    data: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None
) -> str:
    """The data as JSON, in which what `harmless` hides stands escaped: the same data to a
    program.
    """
    text = json.dumps(data, indent=indent, ensure_ascii=False, default=default)
    if text.isascii():
        return text
    return "".join(
        json.dumps(character)[1:-1]
        if not character.isascii()
        and character not in JOINERS
        and unicodedata.category(character) in HIDDEN_CATEGORIES
        else character
        for character in text
    )
