"""`simworld train`: planners, up-mappings and their data; each command is loaded when it is
used.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "upmap": ("train.upmap:upmap", "Make an up-mapping: from action vectors to prefixes."),
    "clone": ("train.clone:clone", "Teach a planner to change nothing."),
    "latent": ("train.latent:latent", "Make an up-mapping whose directions are ways of replying."),
    "ways": ("train.ways:ways", "Show which ways of replying were rewarded; keep the best."),
    "td3bc": ("train.td3bc:td3bc", "Teach a planner to be rewarded, offline."),
    "constant": (
        "train.constant:constant",
        "Find the best constant action, to compare a planner with.",
    ),
    "explain": ("train.explain:explain", "Show what a planner does, situation by situation."),
    "inspect": ("train.inspect:inspect_", "Show what a dataset covers and whether it can teach."),
    "export": ("train.export:export", "Write a dataset as .npz or for Minari."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def train() -> None:
    """Teach planners from stored episodes."""
