"""A planner's policy for people: situation by way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import say

if TYPE_CHECKING:
    from simworld.training.rl.policy_table import PolicyTable


def show_policy(policy: PolicyTable) -> None:
    """Prints the table, what its columns are, and the sentence about it."""
    letters = [chr(ord("A") + i) for i in range(len(policy.ways))]
    table = grid("situation", "n", *letters, right=("n", *letters))
    for row in policy.rows:
        table.add_row(cell(row.situation), str(row.n), *_shares(row.counts, row.n))
    table.add_row("all", str(policy.n), *_shares(policy.counts, policy.n))
    console().print(table)
    for letter, words in zip(letters, policy.ways, strict=True):
        say(f"  {letter}  {words}")
    if not policy.ways:
        click.echo("  The planner knows no ways of replying that its actions could be told by.")
    say(policy.sentence())


def _shares(counts: tuple[int, ...], n: int) -> list[str]:
    return [f"{count / n:.0%}" if count else "·" for count in counts]
