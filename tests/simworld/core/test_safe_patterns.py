"""Patterns from outside: what is refused before it costs anything, and what is still compiled."""

import resource
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simworld.core.safe_patterns import MAX_DEPTH, PatternError, compile_pattern, pattern_size


@pytest.mark.parametrize(
    ("pattern", "parts", "depth"),
    [
        ("abc", 3, 0),
        ("a{3}", 3, 0),
        ("a{2,3}", 3, 0),  # two that must be there and one that may
        ("a{2,}", 3, 0),
        ("a{,9}", 1, 0),
        ("a*?", 1, 0),
        ("a+", 2, 0),
        ("(ab){3}", 9, 1),  # the group counts as one more
        ("((ab){3}){3}", 30, 2),
        ("a|bc", 4, 0),
        (r"\({3}", 3, 0),
        ("[(]{3}", 9, 0),  # a set is no group; its characters count
        ("[]{9}]", 6, 0),  # a bracket may stand first in a set
        ("[^]{9}]", 7, 0),
        ("[[:alpha:]{9}]", 14, 0),
        ("[[:a]{3}", 15, 0),
        ("(a)(?#no{9}){3}", 7, 1),  # a comment is nothing: the quantifier is the group's
        ("(a)(?i){3}", 7, 1),
        ("(?x)(a # ){9}\n) {3}", 6, 1),
        ("(?x)a{ 1 # ten\n 0 }", 10, 0),
        ("x{y}", 4, 0),
    ],
)
def test_the_size_of_a_pattern(pattern: str, parts: int, depth: int) -> None:
    assert pattern_size(pattern) == (parts, depth)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """At most 300 MB more than now: a bomb that goes off fails the test and not the machine."""
    if sys.platform != "linux":
        yield
        return
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + 300 * 1024 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    "pattern",
    [
        "(((a{900}){900}){900}){900}",
        "a{99999999}",
        "a{999999999}",
        "a{" + "9" * 5_000 + "}",
        "(?:" * 30 + "a" + "){2}" * 30,
        "(?:" * 40 + "a" + ")+" * 40,
        "(?:" * 40 + "a" + ")++" * 40,
        "(?<=(?:a{900}){900})b",
        r"(?:\p{L}{900}){900}",
        "(?:(?:abc){e<=5}{900}){900}",
        "[" + "a" * 300 + "]{900}",
        "(?:a{900})(?#){900}",
        "(?:a{900})(?i){900}",
        "(?x)(?:a{ 9 00 }) # so\n {9 0 #\n 0}",
        "(?i:(?x)(?:a{ 900 }) # )\n {900})",
        "(?V1)(?:[[a]--[{9}]]{900}){900}",
        "(" * 60 + ")" * 60,
        "(?<=" * 300 + "a" + ")" * 300,
        "(?(1)" * 300 + "b" + ")" * 300,
        "(?V1)" + "[" * 400 + "a" + "]" * 400,
        "a" * 1_000_000,
        "|".join(f"word{i}" for i in range(100_000)),
    ],
    ids=lambda pattern: pattern[:30],
)
def test_a_bomb_is_refused_at_once(pattern: str, little_memory: None) -> None:
    with pytest.raises(PatternError, match=r"the pattern (is too large|has)"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("a(", "not a valid regular expression: missing ) at position 3"),
        ("{9}", "not a valid regular expression: nothing to repeat at position 1"),
        (r"\L<words>", "not a valid regular expression: undefined named list at position 10"),
        (
            "[" * 9_000,
            "not a valid regular expression: unterminated character set at position 9001",
        ),
        ("\\", "not a valid regular expression: bad escape (end of pattern) at position 2"),
    ],
)
def test_what_is_no_pattern_says_so_in_one_line(pattern: str, says: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert str(caught.value) == says


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(\d{1,3}(?:,\d{3})*) euros", "1,200 euros", "1,200 euros"),
        (r"\b\d{4}-\d{2}-\d{2}\b", "on 2024-02-29.", "2024-02-29"),
        (r"(?x) (\d{2,5}) \s* # digits", "12 ", "12 "),
        (r"(?i)(?:no|never|don't) .{0,200} deal", "NO way, deal", "NO way, deal"),
        (r"(?V1)[[a-z]--[aeiou]]{3}", "aspry", "spr"),
        ("(?:hello){e<=1}", "helo", "helo"),
        ("(?:" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "a", "a"),
        ("a{90000}", "b" * 10 + "a" * 90_000, "a" * 90_000),
    ],
    ids=lambda pattern: pattern[:30],
)
def test_ordinary_patterns_are_compiled(pattern: str, text: str, found: str) -> None:
    match = compile_pattern(pattern).search(text)
    assert match is not None
    assert match[0] == found


PIECES = st.sampled_from(
    [
        *[
            "a",
            "(",
            "(?:",
            ")",
            "{2}",
            "{900}",
            "{3,900}",
            "+",
            "*",
            "?",
            "|",
            "[",
            "]",
            "[^",
            "\\",
            "#",
            "\n",
            " ",
            "[:",
        ],
        *[
            "(?x)",
            "(?i)",
            "(?#",
            "(?V1)",
            "{ 900 }",
            "(?<=",
            "{e<=5}",
            "\\p{L}",
            "(?R)",
            "(?1)",
            "\ud83d",
            "\x00",
            "ß",
        ],
    ]
)


@settings(max_examples=300, deadline=2_000)
@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_text_is_a_pattern_or_an_error(pattern: str) -> None:
    said = ""
    try:
        compile_pattern(pattern)
    except PatternError as error:
        said = str(error)
    assert len(said.splitlines()) <= 1
