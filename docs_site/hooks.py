"""What mkdocs calls while it builds the site (`hooks:` in mkdocs.yml).

The pages' order follows from the folders. What stands between `<!-- generated: commands -->` and
`<!-- end -->`, for readers of the file itself, gives way to what is generated under that name; a
name that nobody knows ends the build.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from pymdownx.slugs import slugify

from docs_site.command_reference import command_reference
from docs_site.python_reference import python_reference
from docs_site.table_reference import table_reference
from docs_site.yaml_reference import schemas, yaml_reference

logger = logging.getLogger("mkdocs.hooks")  # whose warnings mkdocs counts

# the first pages and folders of the site; others follow in alphabetical order
ORDER = ("index.md", "tutorial.md", "concepts", "how-to", "reference", "experiments", "design")
TITLES = {"how-to": "How to", "index.md": "Start"}
NEWEST_FIRST = "experiments"
_MARK = re.compile(r"^<!-- generated: (.*?) -->$.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
# what a browser would fetch from elsewhere: links that a reader may follow are none of it
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|link(?![^>]*rel="?canonical))\b[^>]*?"""
    r"""\b(?:src|href)="?((?:https?:)?//[^"\s>]+)"""
    r"""|(?:url\(|@import )["']?((?:https?:)?//[^"')\s]+)"""
)


def generated(name: str) -> str:
    """What a mark stands for; raises KeyError for an unknown one."""
    if name.startswith("yaml ") and (kind := name.removeprefix("yaml ")) in schemas():
        return yaml_reference(kind)
    return {
        "commands": command_reference,
        "python": python_reference,
        "tables": table_reference,
    }[name]()


def navigation(docs: Path) -> list[str | dict[str, Any]]:
    """The pages by folder: the order of a reader, an index first, experiments newest first."""
    pages = {path.relative_to(docs) for path in docs.rglob("*.md")}
    found: list[str | dict[str, Any]] = []
    for top in sorted({page.parts[0] for page in pages}, key=_rank):
        inside = sorted(str(page) for page in pages if page.parts[0] == top)
        if top.endswith(".md"):
            found.append({TITLES[top]: top} if top in TITLES else top)
            continue
        inside.sort(reverse=top == NEWEST_FIRST)
        inside.sort(key=lambda page: not page.endswith("/index.md"))
        found.append({TITLES.get(top, top.capitalize()): inside})
    return found


def on_config(config: Any) -> Any:
    config.nav = navigation(Path(config.docs_dir))
    # as GitHub's; in mkdocs.yml it would be a tag that runs code
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    return fill(markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """Warns, which ends a strict build, of what a page would fetch from elsewhere."""
    site = Path(config.site_dir)
    for path in sorted((*site.rglob("*.html"), *site.rglob("*.css"))):
        for address in fetched(path.read_text("utf-8")):
            logger.warning("%s fetches %s", path.relative_to(site), address)


def fill(markdown: str) -> str:
    """A page with what is generated in it."""
    return _MARK.sub(lambda found: generated(found[1]), markdown)


def fetched(text: str) -> list[str]:
    """The foreign addresses that a browser asks for when it shows a page or reads its style."""
    return [first or second for first, second in _FETCHED.findall(text)]


def _rank(top: str) -> tuple[int, str]:
    return (ORDER.index(top) if top in ORDER else len(ORDER), top)
