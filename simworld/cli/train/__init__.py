"""`simworld train`: planners, up-mappings and their data; each command is loaded when it is
used.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "upmap": (
        "simworld.cli.train.upmap",
        "upmap",
        "Make an up-mapping: from action vectors to prefixes.",
    ),
    "clone": ("simworld.cli.train.clone", "clone", "Teach a planner to change nothing."),
    "latent": (
        "simworld.cli.train.latent",
        "latent",
        "Make an up-mapping whose directions are ways of replying.",
    ),
    "ways": (
        "simworld.cli.train.ways",
        "ways",
        "Show which ways of replying were rewarded; keep the best.",
    ),
    "td3bc": ("simworld.cli.train.td3bc", "td3bc", "Teach a planner to be rewarded, offline."),
    "constant": (
        "simworld.cli.train.constant",
        "constant",
        "Find the best constant action, to compare a planner with.",
    ),
    "inspect": (
        "simworld.cli.train.inspect",
        "inspect_",
        "Show what a dataset covers and whether it can teach.",
    ),
    "export": ("simworld.cli.train.export", "export", "Write a dataset as .npz or for Minari."),
}


@click.group(
    cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
def train() -> None:
    """Teach planners from stored episodes."""
