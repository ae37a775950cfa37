"""Pages that are read through keep to the bounds of `docs_site/readability.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs_site.pages import DOCS, ROOT, all_pages
from docs_site.readability import Figures, figures, is_bound, paragraphs, sentences


@pytest.mark.parametrize(
    "page",
    [page for page in all_pages() if is_bound(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_page_keeps_to_the_bounds(page: Path) -> None:
    found = figures(page.read_text("utf-8"))
    assert found.within_bounds, f"{found.words_a_sentence:.1f} words a sentence; {found}"


def test_reference_and_experiments_are_not_bound() -> None:
    assert not is_bound(DOCS / "reference" / "commands.md")
    assert not is_bound(DOCS / "experiments" / "index.md")
    assert is_bound(DOCS / "how-to" / "extend.md")
    assert is_bound(ROOT / "README.md")


TEXT = """\
# A heading of five words

One two three four. Five six
seven? [Eight nine](http://example.org/a b) ten, e.g. `simworld run x --db y` at .5

<!-- not run: this is no text. None of it. -->
```sh
simworld never counted
```

| a table | is no text |
|---|---|

- An item. It has two sentences
  over two lines
- another item
1. and `code` of its own
"""


def test_figures_by_hand() -> None:
    assert list(paragraphs(TEXT)) == [
        "One two three four. Five six seven? Eight nine ten, e.g. X at .5",
        "An item. It has two sentences over two lines",
        "another item",
        "and X of its own",
    ]
    # 4; 3; "Eight nine ten, e.g. X at .5" 7; 2; 7; 2; 5
    assert figures(TEXT) == Figures(sentences=7, words=30, longest_paragraph=14)
    assert figures(TEXT).words_a_sentence == pytest.approx(30 / 7)


def test_sentences_end_at_full_stops_before_a_capital() -> None:
    assert sentences('It says "no." Then 3 more. See No. 4, i.e. this… Über alles. end.') == [
        'It says "no.',
        "Then 3 more.",
        "See No 4, i.e this…",
        "Über alles. end.",
    ]


def test_a_page_beyond_a_bound_is_found() -> None:
    assert not figures("word " * 21 + ".").within_bounds
    assert not figures(
        "Ten words are in this sentence, which is repeated often. " * 13
    ).within_bounds
    assert figures("Ten words are in this sentence, which is repeated often. " * 12).within_bounds
