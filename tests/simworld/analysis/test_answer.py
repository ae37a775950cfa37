"""Answers as they are printed: the mean and its interval are always seen."""

from __future__ import annotations

import inspect

import pandas as pd
import pytest

from simworld.analysis.connect import Analysis
from simworld.analysis.questions.answer_frame import AnswerFrame
from simworld.analysis.questions.query_source import with_notes

pytestmark = pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")
WIDE = {
    "agent": "financial-adviser-of-a-large-bank",
    "measure": "financial_and_material_benefits",
    **dict.fromkeys(("mean", "low", "high"), 0.123456789),
    **dict.fromkeys(("n", "families", "score", "played", "failed", "unscored"), 100_000),
}


def test_no_column_is_hidden_at_eighty_columns() -> None:
    shown = str(with_notes(pd.DataFrame([WIDE]), ()))
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "..." not in shown
    assert [name for name in WIDE if name not in shown.split()] == []
    assert shown.split().count("0.123") == 3


def test_what_is_made_of_an_answer_is_printed_like_it() -> None:
    answer = AnswerFrame(pd.DataFrame([WIDE] * 3))
    assert "high" in str(answer[answer["mean"] > 0].sort_values("n"))
    assert isinstance(answer["mean"], pd.Series)


def test_options_that_somebody_set_hold() -> None:
    with pd.option_context("display.max_columns", 4, "display.precision", 2):
        shown = str(AnswerFrame(pd.DataFrame([WIDE])))
    assert "..." in shown


def test_every_question_answers_so(asked: Analysis) -> None:
    given = {
        "paired": ("steered", "base"),
        "pairs": ("steered", "base"),
        "sql": ("SELECT * FROM episodes",),
        "ready": ("endings",),
    }
    tried = 0
    for name, method in inspect.getmembers(asked, inspect.ismethod):
        if name.startswith("_") or name == "close":
            continue
        wanted = [
            p
            for p in inspect.signature(method).parameters.values()
            if p.default is p.empty and p.kind is not p.VAR_KEYWORD
        ]
        if len(wanted) == len(given.get(name, ())):
            answer = method(*given.get(name, ()))
            assert isinstance(answer, AnswerFrame), name
            assert [column for column in answer.columns if str(column) not in str(answer)] == [], (
                name
            )
            tried += 1
    assert tried >= 12
