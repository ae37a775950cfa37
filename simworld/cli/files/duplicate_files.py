"""Notes files of equal content under several names, such as unedited templates: allowed, but rarely
intended.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from simworld.cli.output.text import say
from simworld.yamlfile import join_with_and


def note_duplicates(kind: str, contents: Iterable[tuple[str, Path]]) -> None:
    """Prints a note for each group of files of a kind that have one content; names are no part of
    it.
    """
    by_content: dict[str, dict[str, None]] = {}
    for content, path in contents:
        by_content.setdefault(content, {})[str(path)] = None
    for paths in dict.fromkeys(tuple(same) for same in by_content.values() if len(same) > 1):
        message = f"{join_with_and(paths)} hold the same {kind} under {len(paths)} names"
        say(f"Note: {message}; edit them, or keep one.", err=True)
