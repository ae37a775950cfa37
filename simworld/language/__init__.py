"""The words that simworld itself writes into prompts and transcripts, one table per language
(`tables/<code>.yaml`).

A scenario chooses its language by the code: `language: zh`. Each file in `tables` is a language.
"""

from simworld.language.language_table import (
    PROMPT_SLOT,
    PROMPT_SLOTS,
    Language,
    PersonaWords,
    language_codes,
    load_language,
)

__all__ = [
    "PROMPT_SLOT",
    "PROMPT_SLOTS",
    "Language",
    "PersonaWords",
    "language_codes",
    "load_language",
]
