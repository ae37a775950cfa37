"""Answers as DataFrames that show all of their columns when they are printed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pandas as pd

# What pandas does by default, and what is done instead: by default columns in the middle, where the
# interval is, give way to "…"
DISPLAY_OPTIONS = {"display.max_columns": (0, None), "display.precision": (6, 3)}


class AnswerFrame(pd.DataFrame):  # type: ignore[misc]  # pandas tells no types
    """A DataFrame of which no column is hidden: what does not fit beside the others stands below
    them.

    Display options of pandas that a user sets take precedence.
    """

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return AnswerFrame

    def __repr__(self) -> str:
        """The frame as text, in the terminal's width."""
        with ExitStack() as stack:
            for option, (default, better) in DISPLAY_OPTIONS.items():
                if pd.get_option(option) == default:
                    stack.enter_context(pd.option_context(option, better))
            return str(super().__repr__())
