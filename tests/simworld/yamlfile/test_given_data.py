"""Data of Python, read as a file's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.errors import InputError
from simworld.yamlfile import data_document

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="<\u2028\u2029\ufeff"),
    max_size=20,
)
KEY = TEXT.filter(bool)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), PLAIN))
def test_plain_data_comes_back(data: dict[str, object]) -> None:
    with data_document(data, "mine") as document:
        assert document.data == data


def test_numbers_texts_and_paths_keep_their_kinds() -> None:
    data = {"a": 1e-05, "b": "1e3", "c": "yes", "d": ("x", Path("y/z.yaml")), "e": -0.5, "f": "\t"}
    with data_document(data, "mine") as document:
        assert document.data == {**data, "d": ["x", "y/z.yaml"]}


def test_problems_are_at_the_name_and_those_of_other_files_at_their_own() -> None:
    with pytest.raises(InputError) as error, data_document({"a": {"b": 1}}, "agent 'x'") as found:
        raise InputError([found.problem(("a", "b"), "wrong"), *InputError("bad", "f:1:2").problems])
    assert str(error.value) == "agent 'x': a.b: wrong\nf:1:2: bad"


@pytest.mark.parametrize("data", [{"a": {1}}, {"a": float("nan")}, {("a",): 1}])
def test_what_no_file_holds_is_refused(data: dict[object, object]) -> None:
    with (
        pytest.raises(InputError, match=r"^mine: expected plain data"),
        data_document(data, "mine"),
    ):
        pass
