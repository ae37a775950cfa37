"""`simworld episode search`: episodes by what happens in them."""

from __future__ import annotations

import click

import store
from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import print_json
from simworld.cli.output.transcript import SHORT_ID
from simworld.core.errors import InputError
from simworld.jobs.progress import progress_bar


@click.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(min=1, max=1000), default=10, help="So many episodes.")
@click.option("--run", metavar="NAME", help="Only this run's episodes.")
@db_option
@json_option
@resumes
def search(text: str, limit: int, run: str | None, db: str, as_json: bool) -> None:
    """Find episodes by meaning: 'someone apologises and is forgiven'.

    The nearest first, by the cosine of sentence embeddings of the text and of setting and dialogue.
    An episode that has no embedding yet gets one, which is kept in the database; after Ctrl-C the
    same command goes on.
    """
    if not text.strip():
        raise InputError("nothing to look for; write what happens in the episode")
    with store.open_store(db) as database:
        database.check_names(run=run)
        from agents.lm.sentence_encoder import load_sentence_encoder
        from simworld.analysis.semantic_search import index_episodes, search_episodes

        encoder = load_sentence_encoder()
        with progress_bar("embedding") as show:
            index_episodes(database, encoder, on_progress=show)
        hits = search_episodes(database, encoder, text, limit=limit, run=run)
        episodes = [(hit, database.episode(hit.episode_id, vectors=False).summary) for hit in hits]
    if as_json:
        data = [
            {
                "id": hit.episode_id,
                "cosine": hit.cosine,
                "run": summary.run,
                "scenario_name": summary.scenario_name,
                "cast": {seat.seat: seat.agent_name for seat in summary.seats},
                "ending": summary.ending.value,
                "turns": summary.turns,
            }
            for hit, summary in episodes
        ]
        print_json(data, indent=1)
        return
    if not episodes:
        click.echo("No episodes to search.", err=True)
        return
    table = grid(
        "cosine", "id", "run", "scenario", "cast", "ending", "turns", right=("cosine", "turns")
    )
    for hit, summary in episodes:
        cast = ", ".join(f"{seat.seat}={seat.agent_name}" for seat in summary.seats)
        row = (
            hit.episode_id[:SHORT_ID],
            summary.run,
            summary.scenario_name,
            cast,
            summary.ending.value,
            summary.turns,
        )
        table.add_row(f"{hit.cosine:.2f}", *map(cell, row))
    console().print(table)
    suggest_next("episode show", episodes[0][0].episode_id[:SHORT_ID], db=db)
