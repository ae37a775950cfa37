"""The ways of a new checkpoint, in words."""

from __future__ import annotations

from agents.steering.checkpoint_info import CheckpointInfo
from simworld.cli.output.text import say


def show_way_words(info: CheckpointInfo) -> None:
    """Prints a line for each way that has words."""
    for number, words in enumerate(info.way_words, start=1):
        if words:
            say(f"  {number:>3} {words}")
