"""Paired comparisons as a table, from the JSON of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from simworld.analysis.questions.query_source import to_frame

_NUMBERS = ("difference", "low", "high", "z", "p", "sign_p", "p_holm")
_COUNTS = ("pairs", "cells", "families")


def comparison_frame(
    comparisons: Iterable[Mapping[str, Any]], values: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """A row for each comparison and measure; `values` become columns before them."""
    before = dict(values or {})
    rows = [
        (
            *before.values(),
            comparison["first"],
            comparison["second"],
            measure,
            *(None if paired is None else paired[_key(name)] for name in _NUMBERS),
            *(0 if paired is None else paired[name] for name in _COUNTS),
        )
        for comparison in comparisons
        for measure, paired in comparison["measures"].items()
    ]
    columns = dict.fromkeys((*before, "first", "second", "measure"), "")
    columns |= dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_COUNTS, "int64")
    return to_frame(rows, columns)


def _key(column: str) -> str:
    return "mean" if column == "difference" else column
