"""`simworld judge`: score stored episodes, and measure a judge before trusting it; each command is
loaded when it is used.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "run": ("judge.run:run", "Judge stored episodes."),
    "check": ("judge.check:check", "Measure how far to trust a judge."),
    "agree": ("judge.agree:agree", "Measure how far raters agree about the same seats."),
    "import": ("judge.import_ratings:import_", "Store scores that a person gave."),
    "attribute": ("judge.attribute:attribute", "Say what each utterance was worth."),
    "list": ("judge.show:list_", "List the shipped judges."),
    "new": ("judge.new:new", "Write commented judges to start from."),
    "schema": ("judge.new:schema", "Print the JSON Schema of judge files."),
    "show": ("judge.show:show", "Show a judge and its rubric."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def judge() -> None:
    """Score stored episodes, and measure a judge before trusting it."""
