"""The loader: YAML 1.2 scalars, and everything it refuses, each with its place."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.errors import InputError, Problem
from simworld.yamlfile import document, load_text, load_yaml
from simworld.yamlfile.scalars import resolve_scalar


def lines(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_text(text, "f.yaml")
    return str(caught.value).split("\n")


def problems_of(load: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        load()
    except InputError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("0b11", "0b11"), ("=", "="), ("+1 555", "+1 555"),
        ("true", True), ("False", False), ("TRUE", True), ("tRue", "tRue"),
        ("null", None), ("~", None), ("", None), ("NULL", None), ("nUll", "nUll"),
        ("12", 12), ("-7", -7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
        ("1.", 1.0), ("-.inf", -math.inf), (".inf", math.inf), (".", "."), ("1e", "1e"), ("-", "-"), ("9" * 400, "9" * 400),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_yaml_1_2_core_schema(written: str, value: object) -> None:
    found = resolve_scalar(written)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(resolve_scalar(".nan"))  # type: ignore[arg-type]


def test_quoted_scalars_are_text_whatever_they_hold() -> None:
    assert load_text("a: 'true'\nb: \"12\"\nc: |\n  null\nd: 12\n", "f").data == {
        "a": "true",
        "b": "12",
        "c": "null\n",
        "d": 12,
    }


def test_keys_are_text() -> None:
    assert load_text("no: 1\n2: x\ntrue: y\n", "f").data == {"no": 1, "2": "x", "true": "y"}


def test_places_of_values_keys_and_the_nearest_thing_around() -> None:
    document = load_text("seats:\n  - name: a\n  - goal: >\n      x\n", "rent.yaml")
    assert document.file_position(("seats", 1, "goal")) == "rent.yaml:3:11"
    assert document.file_position(("seats", 1, "goal"), key=True) == "rent.yaml:3:5"
    assert document.file_position(("seats", 0)) == "rent.yaml:2:5"
    assert document.file_position(("seats", 0, "missing")) == "rent.yaml:2:5"
    assert document.file_position(()) == "rent.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a:\n\tb: 1",
            "f.yaml:2:1: not valid YAML: found character that cannot start any token; "
            "indent with spaces, not with tabs",
        ),
        (
            "a: b: c",
            "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context; "
            "text with ': ' in it needs quotes, or '>' and a line of its own",
        ),
        (
            "a: @x",
            "f.yaml:1:4: not valid YAML: found character that cannot start any token; "
            "text that begins with this character needs quotes",
        ),
        ('a: "x', "f.yaml:1:6: not valid YAML: found unexpected end of stream; a quote or bracket is not closed"),
        ("a: !!str 5", "f.yaml:1:4: tag '!!str' is not allowed; write the value alone, text in quotes"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "f.yaml:1:4: tag '!!python/object/apply:os.system' is not allowed; write the value alone, text in quotes",
        ),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document ('---') in one file; use a file for each"),
        ("a: &x [*x]", "f.yaml:1:4: an anchor contains an alias to itself"),
        ("a: *q", "f.yaml:1:4: not valid YAML: found undefined alias"),
        ("[" * 1000, "f.yaml:1:65: nested deeper than 64 levels"),
        ("a: \x00", "f.yaml:1:4: control character U+0000: this is not a text file"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be a word, not a list or a mapping"),
        ("b:\n  a: 1\n  a: 2", "f.yaml:3:3: b.a: duplicate key; the first is in line 2"),
        ("a: &m {b: 1}\nc:\n  <<: *m", "f.yaml:3:3: c.<<: merge keys are not supported; write the fields out"),
        ("'': 1", "f.yaml:1:1: : an empty key"),
        (r'a: "\ud800"', "f.yaml:1:4: half of a surrogate pair; write the character itself"),
    ],
)  # fmt: skip
def test_one_clear_line_for_what_is_refused(text: str, message: str) -> None:
    if "surrogate" in message:
        # libyaml refuses the escape itself; either way it is one line with the place
        (line,) = lines(text)
        assert line.startswith("f.yaml:1:")
    else:
        assert lines(text) == [message]


def test_all_structural_problems_at_once() -> None:
    assert lines("a: 1\na: 2\nb: {c: 1, c: 2}\n<<: {}\n") == [
        "f.yaml:2:1: a: duplicate key; the first is in line 1",
        "f.yaml:3:11: b.c: duplicate key; the first is in line 3",
        "f.yaml:4:1: <<: merge keys are not supported; write the fields out",
    ]


def test_billion_laughs_are_counted_and_not_written_out() -> None:
    laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
    )
    (line,) = lines(laughs)
    assert line == "f.yaml:6:5: more than 200,000 values once every alias is written out"


def test_honest_aliases_work() -> None:
    assert load_text("a: &x {b: 1}\nc: *x\n", "f").data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
            "is not UTF-8 text: byte 0x89 in line 1; save the file as UTF-8",
        ),
        (b"name: x\n\xff\xfe", "is not UTF-8 text: byte 0xff in line 2; save the file as UTF-8"),
        (
            "name: é".encode("utf-16"),
            "is not UTF-8 text: byte 0xff in line 1; save the file as UTF-8",
        ),
        (b"x" * (4 * 1024 * 1024 + 1), "is larger than 4 MiB, the most that is read"),
    ],
)
def test_binary_junk_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "junk.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_yaml(path)
    assert str(caught.value) == f"{path}: {message}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder; name a file"):
        load_yaml(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load_yaml(tmp_path / ("x" * 300))
    with pytest.raises(InputError, match="cannot be read"):
        load_yaml(Path("a\0b"))


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    document = load_yaml(path)
    assert document.data == {"a": 1, "b": "x"}
    assert document.file_position(("b",)) == f"{path}:2:4"


words = st.text(st.characters(min_codepoint=32, max_codepoint=126))
keys = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
plain_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(plain_data)
def test_json_is_yaml(data: object) -> None:
    text = json.dumps(data)
    assert load_text(text, "f").data == data


@given(st.text(max_size=200))
def test_any_text_loads_or_is_one_known_error(text: str) -> None:
    for problem in problems_of(lambda: load_text(text, "f.yaml")):
        assert str(problem).startswith("f.yaml")
        assert "\n" not in str(problem)


@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_one_known_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    for problem in problems_of(lambda: load_yaml(path)):
        assert str(problem).startswith(str(path))


def test_the_slow_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: no\nb: '1'\nc: [1, {d: 2.5}]\ne: |\n  x\n"
    fast = load_text(text, "f").data
    monkeypatch.delattr(yaml, "CSafeLoader")  # as where PyYAML was built without libyaml
    slow = second_copy(document, monkeypatch).load_text(text, "f").data
    assert slow == fast == {"a": "no", "b": "1", "c": [1, {"d": 2.5}], "e": "x\n"}


def second_copy(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, loaded once more under another name."""
    spec = importlib.util.spec_from_file_location("second_copy", module.__file__ or "")
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "second_copy", copy)
    spec.loader.exec_module(copy)
    return copy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (r'a: "x\0y"', "f.yaml:1:4: control character U+0000 in the text"),
        (r'a: "\x07"', "f.yaml:1:4: control character U+0007 in the text"),
        (r'a: ["\x1c"]', "f.yaml:1:5: control character U+001C in the text"),
        (r'{"a\x9b": 1}', "f.yaml:1:2: control character U+009B in the text"),
        (r'a: "\uffff"', "f.yaml:1:4: control character U+FFFF in the text"),
    ],
)
def test_control_characters_by_escapes_are_refused_with_their_place(
    text: str, problem: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_text(text, "f.yaml")
    assert str(caught.value) == problem


def test_line_ends_tabs_and_direction_marks_are_text() -> None:
    assert load_text(r'a: "x\n\ty\u202e\u200f\u2028"', "f.yaml").data == {
        "a": "x\n\ty\u202e\u200f\u2028"
    }
