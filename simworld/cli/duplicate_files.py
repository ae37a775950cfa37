"""Notes files of equal content under several names, such as unedited templates: allowed, but rarely
intended.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from simworld.cli.text import harmless
from simworld.yamlfile import join_with_and


def note_alike(kind: str, contents: Iterable[tuple[str, Path]]) -> None:
    """Prints a note for each group of files of a kind that have one content; names are no part of
    it.
    """
    files: dict[str, dict[str, None]] = {}
    for content, path in contents:
        files.setdefault(content, {})[str(path)] = None
    for same in dict.fromkeys(tuple(paths) for paths in files.values() if len(paths) > 1):
        message = (
            f"{join_with_and(same)} hold the same {kind} under {len(same)} names; edit them,"
            " or keep one"
        )
        click.echo(harmless(f"Note: {message}."), err=True)
