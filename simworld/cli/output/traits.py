"""What marks arms beside the base, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless
from simworld.core.counts import counted

MAX_TOKEN_CHARS = 60  # of a way, which is described by a line


def show_traits(traits: Mapping[str, Mapping[str, Any]], base: str) -> None:
    """Prints, of arms by name, what their `TraitTable`s as JSON data say."""
    if not traits:
        return
    screen = console()
    heading = f"What they say more and less often than {base} (z; times in the arm : in {base})"
    screen.print(Text("\n" + harmless(heading), style="bold"))
    table = grid("arm", "", "by log-odds")
    for arm, found in traits.items():
        rows = [
            (f"{sign} {kind}", told)
            for kind in ("words", "ways")
            for sign, told in (
                ("more", _told([each for each in found[kind] if each["z"] > 0])),
                ("less", _told([each for each in found[kind] if each["z"] < 0])),
            )
            if told
        ]
        if not rows:
            said = counted(found["utterances"], "utterance")
            rows = [("", f"nothing that stands out in {said}")]
        for index, (kind, told) in enumerate(rows):
            table.add_row(cell(arm if index == 0 else ""), kind, cell(told))
    screen.print(table)


def _told(differences: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{_shorten(str(each['token']))} {each['z']:+.1f} ({each['n']}:{each['base_n']})"
        for each in differences
    )


def _shorten(token: str) -> str:
    return token if len(token) <= MAX_TOKEN_CHARS else token[: MAX_TOKEN_CHARS - 1] + "…"
