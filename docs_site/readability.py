"""How a page reads: words a sentence on average, and words of the longest paragraph.

    python -m docs_site.readability      # a line for each page; exit code 1 if one is beyond bounds

Code blocks, tables, headings and comments do not count. An item of a list is a paragraph of its
own, and ends a sentence. A command or a name in backquotes is one word, and so is a link's address
with its text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs_site.pages import DOCS, ROOT, all_pages, without_code

WORDS_A_SENTENCE = 20  # on average, at most
WORDS_A_PARAGRAPH = 120  # at most
UNBOUND = ("reference", "experiments")  # folders: they are looked up, and not read through

_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_NO_TEXT = re.compile(r"^\s*(?:\||#{1,6} |!!!|\?\?\?|:?-{3,}|<)")  # tables, headings, rules, HTML
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\](?:\([^)]*\)|\[[^\]]*\])")
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|cf|vs|etc|Dr|Mr|Mrs|Ms|St|No|p|pp)\.(?=\s)")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]*_]*\s+(?=[\"'“‘(\[*_]*[^\W_a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the script says about a page."""

    sentences: int
    words: int
    longest_paragraph: int  # words

    @property
    def words_a_sentence(self) -> float:
        return self.words / self.sentences if self.sentences else 0.0

    @property
    def within_bounds(self) -> bool:
        return (
            self.words_a_sentence <= WORDS_A_SENTENCE
            and self.longest_paragraph <= WORDS_A_PARAGRAPH
        )


def is_bound(page: Path) -> bool:
    """Whether the bounds hold for a page."""
    return not page.is_relative_to(DOCS) or page.relative_to(DOCS).parts[0] not in UNBOUND


def figures(text: str) -> Figures:
    """The figures of a page's text."""
    every = list(paragraphs(text))
    lengths = [[_words(sentence) for sentence in sentences(one)] for one in every]
    return Figures(
        sentences=sum(bool(words) for one in lengths for words in one),
        words=sum(map(sum, lengths)),
        longest_paragraph=max(map(sum, lengths), default=0),
    )


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs and list items of a page, each in one line, with code and links as words."""
    paragraph: list[str] = []
    for line in [*without_code(text).splitlines(), ""]:
        line = re.sub(r"^\s*>\s?", "", line)
        new = not line.strip() or _NO_TEXT.match(line) or _ITEM.match(line)
        if new and paragraph:
            yield _CODE.sub("X", _LINK.sub(r"\1", " ".join(paragraph)))
            paragraph = []
        if line.strip() and not _NO_TEXT.match(line):
            paragraph.append(_ITEM.sub("", line).strip())


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; what has no full stop ends with it."""
    return _SENTENCE_END.split(_ABBREVIATION.sub(r"\1", paragraph))


def _words(sentence: str) -> int:
    return sum(any(map(str.isalnum, word)) for word in sentence.split())


def main() -> int:
    pages = {page: figures(page.read_text("utf-8")) for page in all_pages()}
    beyond = [page for page, found in pages.items() if is_bound(page) and not found.within_bounds]
    print("words a sentence  longest paragraph  sentences  page")
    for page, found in pages.items():
        note = "  <- beyond bounds" if page in beyond else "" if is_bound(page) else "  (unbound)"
        print(
            f"{found.words_a_sentence:16.1f}  {found.longest_paragraph:17}  {found.sentences:9}"
            f"  {page.relative_to(ROOT)}{note}"
        )
    print(f"Bounds: {WORDS_A_SENTENCE} words a sentence, {WORDS_A_PARAGRAPH} words a paragraph.")
    return bool(beyond)


if __name__ == "__main__":
    sys.exit(main())
