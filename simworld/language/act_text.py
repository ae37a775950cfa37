"""An act as people are shown it: its words, what was done, and whom alone it was for, in the
language of its scenario.
"""

from __future__ import annotations

from simworld.core.episode import Action, ActionKind
from simworld.core.scenario import ENGLISH
from simworld.language.language_table import load_language


def privacy_words(language: str) -> tuple[str, str, str]:
    """What stands before, between and after the names of those who alone perceive an act: ` (only
    to `, `, `, `)`.
    """
    if language == ENGLISH:
        return " (only to ", ", ", ")"
    words = load_language(language).judge
    before, _, after = words.private_line.format(who="", names="\n", text="").partition("\n")
    return before, words.conjunction, after.removesuffix(words.line.format(who="", text=""))


def speaker_separator(language: str) -> str:
    """Between a name and what somebody says, the space included: `: `, `：`."""
    return load_language(language).judge.line.format(who="", text="")


def describe_act(action: Action, language: str) -> str:
    """What somebody said or did: `leaves: Goodbye.`, `does nothing`."""
    if action.kind is ActionKind.leave:
        leaves = load_language(language).judge.leaves
        return f"{leaves}{speaker_separator(language)}{action.text}" if action.text else leaves
    if action.kind is ActionKind.none:
        return "does nothing" if language == ENGLISH else load_language(language).acts.says_nothing
    return action.text
