"""A profile as a table."""

from __future__ import annotations

from rich.text import Text

from simworld.cli.output.terminal import console, grid
from simworld.core.profile import Profile


def print_profile(profile: Profile) -> None:
    """Prints where the time went: seconds, share, tokens and tokens per second of each part."""
    data = profile.to_json()
    columns = ("seconds", "share", "tokens", "tokens/s")
    table = grid("part", *columns, right=columns)
    for name, part in data["parts"].items():
        tokens = f"{part['tokens']:,}" if "tokens" in part else ""
        per_s = f"{part['tokens_per_s']:,.0f}" if "tokens_per_s" in part else ""
        table.add_row(name, f"{part['seconds']:.2f}", f"{100 * part['share']:.1f} %", tokens, per_s)
    table.add_row("all", f"{data['wall_s']:.2f}", "", "", "", style="bold")
    console().print(Text("Where the time went", style="bold"))
    console().print(table)
