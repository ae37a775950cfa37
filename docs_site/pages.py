"""The pages, and what a page consists of: code blocks, headings, and the text between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *([^\s`{]*)")
_HEADING = re.compile(r"^(#{1,6}) +(.*?)(?: +#+)?$")
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<[^>\n]+>|[`*]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    """A fenced block, and the HTML comments that stand right before it."""

    language: str
    text: str
    line: int  # of its first fence, from 1
    comments: tuple[str, ...]


def all_pages() -> list[Path]:
    """README and every page of the documentation."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced blocks of a page, in order; an unclosed one reaches to the end of the page."""
    return [part for part in _parts(text) if isinstance(part, CodeBlock)]


def without_code(text: str) -> str:
    """The page without fenced blocks and comments; every other line where it was."""
    lines = [part if isinstance(part, str) else _blank(part) for part in _parts(text)]
    return _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), "\n".join(lines))


def headings(text: str) -> list[str]:
    """The headings of a page, as they are read."""
    found = (_HEADING.match(line) for line in without_code(text).splitlines())
    return [_MARKUP.sub(r"\1", match[2]) for match in found if match]


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Every anchor of a page; of equal headings the later ones are numbered."""
    found: set[str] = set()
    for name in map(slug, headings(text)):
        count = 0
        while (one := f"{name}-{count}" if count else name) in found:
            count += 1
        found.add(one)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def _parts(text: str) -> Iterator[str | CodeBlock]:
    lines = iter(enumerate(text.splitlines(), 1))
    before: list[str] = []  # lines since the last block
    for number, line in lines:
        fence = _FENCE.match(line)
        if not fence:
            before.append(line)
            yield line
            continue
        body: list[str] = []
        for _, inner in lines:
            if inner.strip().startswith(fence[2]) and not inner.strip().strip(fence[2][0]):
                break
            body.append(inner.removeprefix(fence[1]))
        yield CodeBlock(
            language=fence[3],
            text="".join(f"{one}\n" for one in body),
            line=number,
            comments=_comments_at_the_end("\n".join(before)),
        )
        before = []


def _comments_at_the_end(text: str) -> tuple[str, ...]:
    found: list[str] = []
    while text.rstrip().endswith("-->"):
        text, _, comment = text.rstrip().removesuffix("-->").rpartition("<!--")
        found.append(comment.strip())
    return tuple(reversed(found))


def _blank(block: CodeBlock) -> str:
    return "\n" * (block.text.count("\n") + 1)
