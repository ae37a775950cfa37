"""`simworld judge`: score stored episodes, and measure a judge before trusting it; each command is
loaded when it is used.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "run": ("simworld.cli.judge.run", "run", "Judge stored episodes."),
    "check": ("simworld.cli.judge.check", "check", "Measure how far to trust a judge."),
    "agree": (
        "simworld.cli.judge.agree",
        "agree",
        "Measure how far raters agree about the same seats.",
    ),
    "import": ("simworld.cli.judge.import_ratings", "import_", "Store scores that a person gave."),
    "attribute": (
        "simworld.cli.judge.attribute",
        "attribute",
        "Say what each utterance was worth.",
    ),
    "list": ("simworld.cli.judge.show", "list_", "List the shipped judges."),
    "new": ("simworld.cli.judge.new", "new", "Write commented judges to start from."),
    "schema": ("simworld.cli.judge.new", "schema", "Print the JSON Schema of judge files."),
    "show": ("simworld.cli.judge.show", "show", "Show a judge and its rubric."),
}


@click.group(
    cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
def judge() -> None:
    """Score stored episodes, and measure a judge before trusting it."""
