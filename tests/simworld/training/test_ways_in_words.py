"""Ways of replying in words."""

from __future__ import annotations

from simworld.training.ways_in_words import MAX_QUOTED, describe_way

PLAIN = ["I will take the boat.", "The boat is old.", "We leave at nine.", "It is late."] * 5


def test_the_words_that_rose_and_the_utterance_with_most_of_them() -> None:
    said = [
        "Thank you so much.",
        "Thank you so much for the boat, I will take it as it is.",
        "Oh, thank you.",
        "Thank you, it is late.",
        "so thank you",
        "",
    ]
    words = describe_way(said, PLAIN)
    # thank and you are in five of five, so in three, much in two; the line that is these alone
    assert words == "thank, you, so: “Thank you so much.”"


def test_too_little_or_nothing_to_compare_with_is_not_described() -> None:
    assert describe_way(["Thank you."] * 4 + [" "], PLAIN) == ""
    assert describe_way(["Thank you."] * 9, []) == ""


def test_without_a_word_that_rose_there_is_only_an_utterance_in_one_line() -> None:
    assert describe_way(["The boat\nis old."] * 5, ["The boat is old."] * 20) == (
        "“The boat is old.”"
    )
    long = "word " * 100
    described = describe_way([long] * 5, [long] * 5)
    assert len(described) <= MAX_QUOTED + 2
    assert described.endswith("word…”")
