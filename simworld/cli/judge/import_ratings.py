"""`simworld judge import`: people as raters."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.text import print_json, say
from simworld.core.counts import counted


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rater", required=True, metavar="NAME", help="Whose scores these are.")
@click.option(
    "--rubric", metavar="NAME", help="Name or file; default: that of each episode's scenario."
)
@db_option
@json_option
def import_(file: Path, rater: str, rubric: str | None, db: str, as_json: bool) -> None:
    """Store scores that a person gave, as one more judge.

    FILE is CSV with the columns episode, seat, dimension, score and, if wanted, reasoning; an
    episode is named by its id or the beginning of it. All of it is stored or, where anything is
    wrong, nothing.
    """
    from simworld.judging.human_ratings import import_ratings
    from store import open_store

    with open_store(db) as store:
        result = import_ratings(store, file, rater, rubric=rubric or "")
    if as_json:
        print_json(asdict(result))
        return
    added = counted(result.added, "episode")
    counts = f"{added} scored by {rater}, {result.already} already there"
    say(f"{counts}; {counted(result.verdicts, 'score')} in the file")
    suggest_next("judge agree", db=db)
