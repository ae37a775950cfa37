"""`simworld train latent`: an up-mapping whose directions are ways of replying, made around a
clone's prefix.
"""

from __future__ import annotations

from pathlib import Path

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option, threads_option
from simworld.cli.text import print_json, say
from simworld.cli.train.reply_options import (
    estimate_text,
    neutrality_lines,
    open_local,
    record_training,
    source_options,
    work_folder,
)
from simworld.core.counts import counted

POSITIVE = click.IntRange(min=1)


@click.command()
@click.option(
    "--clone",
    "clone_folder",
    type=click.Path(path_type=Path),
    required=True,
    help="The clone to make it around.",
)
@click.option("--size", type=POSITIVE, default=32, help="Directions; actions have one number more.")
@click.option("--ways", type=POSITIVE, default=24, help="Ways of replying to know, at most.")
@click.option(
    "--strength", type=click.FloatRange(min=0, min_open=True), default=4.0,
    help="Of a direction to begin with, in lengths of a token embedding.")  # fmt: skip
@source_options
@click.option("--replies", type=POSITIVE, default=700, help="To learn from, at most.")
@click.option("--steps", type=POSITIVE, default=120, help="Updates.")
@click.option("--batch-size", type=POSITIVE, default=8, help="Replies a step.")
@click.option(
    "--lr", type=click.FloatRange(min=0, min_open=True), default=0.006, help="Learning rate."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Of families, the choice and the order."
)
@threads_option
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The new checkpoint's folder."
)
@db_option
@json_option
@resumes
def latent(
    clone_folder: Path,
    size: int,
    ways: int,
    strength: float,
    run_name: str | None,
    agent: str | None,
    replies: int,
    steps: int,
    batch_size: int,
    lr: float,
    seed: int,
    threads: int | None,
    out: Path,
    db: str,
    as_json: bool,
) -> None:
    """Make an up-mapping whose directions are ways of replying.

    An encoder reads what a stored unsteered reply means by its sentence embedding, and the
    up-mapping learns to turn that into the prefix that makes the reply likeliest. The checkpoint
    takes the neutral action always. It knows ways of replying, the middles of groups of replies;
    try these: `explore: {kind: ways}`.
    """
    from agents.lm.sentence_encoder import load_sentence_encoder
    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from simworld.cli.progress import progress_bar
    from simworld.training.cloning.clone_checkpoint import (
        ReplyQuery,
        latent_checkpoint,
        open_cloning_data,
    )
    from simworld.training.cloning.latent_map import LatentSettings
    from simworld.training.cloning.reply_training import ReplyTrainingSettings
    from store import open_store

    check_writable(out)
    clone = load_checkpoint(clone_folder)
    descent = ReplyTrainingSettings(steps=steps, batch_size=batch_size, lr=lr, seed=seed)
    settings = LatentSettings(size=size, ways=ways, strength=strength, training=descent)
    query = ReplyQuery(run=run_name, agent=agent, train=replies, dev=60, seed=seed)
    with open_store(db) as store, progress_bar("latent") as show:
        store.check_names(run=run_name, agent=agent)  # before the model is loaded
        # Likelihoods are those of the distribution that drew the replies, and so are read in its
        # number format.
        local = open_local(clone, clone.info.dtype, threads)
        settings_data = settings.to_json()
        with (
            open_cloning_data(store, local, clone, query, show) as cloning,
            record_training(store, "latent", out, settings_data, cloning.provenance) as (
                log,
                finish,
            ),
        ):
            checkpoint, measured, neutrality = latent_checkpoint(
                cloning,
                clone,
                settings,
                embed=load_sentence_encoder().encode,
                sink=log,
                on_progress=show,
                state_folder=work_folder(out),
            )
            save_checkpoint(out, checkpoint)
            finish(checkpoint)
    if as_json:
        print_json(
            {"id": checkpoint.id, "folder": str(out), "metrics": dict(checkpoint.info.metrics)}
        )
        return
    say(
        f"{out}: {checkpoint.id}: {counted(checkpoint.info.d_action - 1, 'direction')},"
        f" {counted(checkpoint.info.ways, 'way')} of replying"
    )
    click.echo(
        f"  a reply behind its own code {estimate_text(measured.log_ratio)} nats likelier than"
        " behind another's"
    )
    click.echo("\n".join(neutrality_lines(neutrality)))
    say(f"  steering: {{planner: {out}, explore: {{kind: ways}}}}")
    suggest_next("agent new", "my-agent")
