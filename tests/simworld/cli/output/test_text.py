"""Text made harmless: for people as escapes, for programs as the same data."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from simworld.cli.output.text import harmless, plain_json


def test_controls_and_directions_are_written_out() -> None:
    assert harmless("a\x1b[31m\u202eb\x9bc\td\ne") == "a\\x1b[31m\\u202eb\\x9bc\td\ne"


def test_json_hides_what_a_terminal_would_obey() -> None:
    assert plain_json({"é": "\x1b\u202e\x9b\U000e0001ü"}) == (
        '{"é": "\\u001b\\u202e\\u009b\\udb40\\udc01ü"}'
    )


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_the_same_data(data: object) -> None:
    text = plain_json(data, indent=1)
    assert json.loads(text) == data
    assert not any(unicodedata.category(c) in ("Cs", "Zl", "Zp") for c in text)
    assert text.encode()
