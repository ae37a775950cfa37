"""Words of a text, in any script."""

from __future__ import annotations

import pytest

from simworld.core.whole_words import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don’t THANK me: it's 5.50!", ["don't", "thank", "me", "it's", "5", "50"]),
        ("'ok' — rock'n'roll", ["ok", "rock'n'roll"]),
        ("谢谢你 テスト 12", ["谢", "谢", "你", "テスト", "12"]),
        ("Über naïve, ＯＫ", ["über", "naïve", "ok"]),
        ("…", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert split_words(text) == words
