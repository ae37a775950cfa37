"""Every link of README, CHANGELOG and the documentation leads to a file, and to a heading in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs_site.links import broken_links, linked_pages, links
from docs_site.pages import ROOT, anchors


@pytest.mark.parametrize("page", linked_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text(
        "# What it *is*, in `code`\n\n## Twice\n\n## Twice\n\n"
        "[1](b.md) [2](#twice) [3](#twice-1) [4](#twice-2) ![5](c.svg) [6](https://x.org/y) `[7](d)`\n"
        '[8](b.md#größe-und-µ) [9](b.md#gone) [10 [of] ten](mailto:x@y) <img src="e.png">\n'
        "```\n[11](f.md)\n```\n",
        "utf-8",
    )
    (tmp_path / "b.md").write_text("## Größe (und µ)\n", "utf-8")
    assert broken_links(page) == ["#twice-2", "c.svg", "b.md#gone", "e.png"]
    assert len(links(page.read_text("utf-8"))) == 10
    assert anchors(page.read_text("utf-8")) == {"what-it-is-in-code", "twice", "twice-1"}
