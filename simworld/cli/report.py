"""`simworld report`: one tournament as one file, to send to somebody."""

from __future__ import annotations

from pathlib import Path

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option
from simworld.cli.output.text import say


@click.command()
@click.argument("name")
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The HTML file."
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@db_option
def report(name: str, out: Path, force: bool, db: str) -> None:
    """Write a tournament as one HTML file: standings, differences, scenarios, transcripts.

    NAME is that of the tournament, or of any run. The file needs no network and no other file; it
    stays below 5 MB, and says how many transcripts found room.
    """
    from simworld.export import new_file
    from simworld.web.report_file import make_report
    from store import open_store

    with open_store(db, read_only=True) as store, new_file(out, force=force) as temporary:
        temporary.write_text(make_report(store, name), "utf-8")
    say(f"Wrote {out}.")
    suggest_next("episode list", "--run", name, db=db)
