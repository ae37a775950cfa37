"""What is looked for, and where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.analysis.word_search import matching_lines, parse_phrases
from simworld.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two", ["one", "two"]),
        ('"one two" three', ["one two", "three"]),
        ('"not closed', ["not closed"]),
        ("it's don't", ["it s", "don t"]),
        ("a a A", ["a", "A"]),
        ("AND (b) -c d*", ["AND", "b", "c", "d"]),
        ("Zürich, 65 €", ["Zürich", "65"]),
    ],
)
def test_phrases(text: str, expected: list[str]) -> None:
    assert parse_phrases(text) == expected


@pytest.mark.parametrize("text", ["", "  ", '""', "-- '", "€"])
def test_nothing_to_look_for(text: str) -> None:
    with pytest.raises(InputError, match="nothing to look for"):
        parse_phrases(text)


def test_too_much_to_look_for() -> None:
    with pytest.raises(InputError, match="found 21 words and phrases, expected at most 20"):
        parse_phrases(" ".join(f"w{i}" for i in range(21)))


def test_lines_with_their_pieces() -> None:
    text = "Good evening.\nNo.\nA GOOD, EVENING good?\ngoods"
    found = matching_lines(text, ["good evening", "no"])
    assert [one.number for one in found] == [0, 1, 2]
    assert found[0].parts == (("Good evening", True), (".", False))
    assert found[2].parts == (("A ", False), ("GOOD, EVENING", True), (" good?", False))


def test_case_and_accents_do_not_matter() -> None:
    (found,) = matching_lines("In Zu\u0308RICH, Straße.", ["zurich", "STRASSE"])
    assert [piece for piece, wanted in found.parts if wanted] == ["Zu\u0308RICH", "Straße"]


def test_no_more_lines_than_wanted() -> None:
    assert len(matching_lines("a\na\na\na", ["a"], max_lines=2)) == 2


@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_the_pieces_of_a_line_are_the_line(text: str, wanted: list[str]) -> None:
    looked_for = [
        phrase for one in wanted if any(map(str.isalnum, one)) for phrase in parse_phrases(one)[:1]
    ]
    split = text.split("\n")
    for found in matching_lines(text, looked_for, max_lines=1000) if looked_for else ():
        assert "".join(piece for piece, _ in found.parts) == split[found.number]
        assert any(marked for _, marked in found.parts)
