"""Links between pages, files of the repository and headings; nothing is asked of the network.

python -m docs_site.links      # the broken ones; exit code 1 if there are any
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote

from docs_site.pages import ROOT, all_pages, anchors, without_code

_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def links(text: str) -> list[str]:
    """The addresses that a page refers to, of pictures too, without those in code."""
    plain = re.sub(r"(`+).+?\1", "", without_code(text), flags=re.DOTALL)
    return _LINK.findall(plain) + _HTML.findall(plain)


def linked_pages() -> list[Path]:
    """README, the other pages beside it, and those of the documentation."""
    return sorted({*all_pages(), *ROOT.glob("*.md")})


def broken_links(page: Path) -> list[str]:
    """The links of a page that lead to no file, or to no heading of a page."""
    text = page.read_text("utf-8")
    return [
        one for one in links(text) if not _ELSEWHERE.match(one) and not _leads_somewhere(one, page)
    ]


def _leads_somewhere(link: str, page: Path) -> bool:
    path, _, anchor = unquote(link).partition("#")
    target = page.parent / path if path else page
    if not target.exists():
        return False
    if not anchor or target.suffix != ".md":
        return not anchor
    return anchor in anchors(target.read_text("utf-8"))


def main() -> int:
    found = [(page, one) for page in linked_pages() for one in broken_links(page)]
    for page, link in found:
        print(f"{page.relative_to(ROOT)}: {link}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
