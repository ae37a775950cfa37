"""`simworld train latent`: an up-mapping whose directions are ways of replying, made around a clone's prefix."""

from __future__ import annotations

from pathlib import Path

import click

from simworld.cli.options import db_option, json_option, threads_option
from simworld.cli.text import harmless, plain_json
from simworld.cli.train.replies import lines_of, open_local, recorded, source_options

POSITIVE = click.IntRange(min=1)


@click.command()
@click.option(
    "--clone", "clone_folder", type=click.Path(path_type=Path), required=True, help="The clone to make it around."
)
@click.option("--size", type=POSITIVE, default=32, show_default=True, help="Directions; actions have one number more.")
@click.option(
    "--nats", type=click.FloatRange(min=0, min_open=True), default=0.2, show_default=True,
    help="How far a reply's distribution moves at one unit along a direction.",
)  # fmt: skip
@source_options
@click.option("--replies", type=POSITIVE, default=500, show_default=True, help="To learn from, at most.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of families and of the choice.")
@threads_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new checkpoint's folder.")
@db_option
@json_option
def latent(
    clone_folder: Path,
    size: int,
    nats: float,
    run_name: str | None,
    agent: str | None,
    replies: int,
    seed: int,
    threads: int | None,
    out: Path,
    db: str,
    as_json: bool,
) -> None:
    """Make an up-mapping whose directions carry what replies mean, for few nats.

    It is made in closed form from stored unsteered replies: how each reply's likelihood changes with the prefix, and what the reply
    means by its sentence embedding. Its checkpoint takes the neutral action always; explore around that:
    `explore: {kind: noise, sigma: 0.4}`.
    """
    from agents.models.sentences import load_sentences
    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from simworld.cli.progress import progress_bar
    from simworld.training.cloning import ReplyQuery, latent_upmap, open_school
    from simworld.training.latent import LatentSettings
    from store import open_store

    clone = load_checkpoint(clone_folder)
    settings = LatentSettings(size=size, nats=nats)
    query = ReplyQuery(run=run_name, agent=agent, train=replies, dev=60, seed=seed)
    with open_store(db) as store, progress_bar("latent") as show:
        local = open_local(clone, "float32", threads)
        with (
            open_school(store, local, clone, query, show) as school,
            recorded(store, "latent", out, settings.plain(), school.data) as (_, done),
        ):
            made, found, neutrality = latent_upmap(school, clone, settings, embed=load_sentences().encode, show=show)
            save_checkpoint(out, made)
            done(made)
    if as_json:
        click.echo(plain_json({"id": made.id, "folder": str(out), "metrics": dict(made.info.metrics)}))
        return
    click.echo(harmless(f"{out}: {made.id}: {made.info.d_action - 1} directions"))
    click.echo(f"  slope against meaning       {found.carried:.3f} (correlation on families that it was not made from)")
    click.echo("\n".join(lines_of(neutrality)))
    click.echo(harmless(f"  steering: {{planner: {out}, explore: {{kind: noise, sigma: 0.4}}}}"))
