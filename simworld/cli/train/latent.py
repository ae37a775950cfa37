"""`simworld train latent`: an up-mapping whose directions are ways of replying, made around a
clone's prefix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option, threads_option
from simworld.cli.output.text import print_json, say
from simworld.cli.train.reply_options import (
    POSITIVE,
    descent_settings,
    estimate_text,
    neutrality_lines,
    reply_options,
    reply_query,
    training_on_replies,
)
from simworld.cli.train.way_words import show_way_words
from simworld.core.counts import counted
from simworld.core.errors import InputError


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
    "--strength",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    help="Of a direction to begin with, in lengths of a token embedding.",
)
@reply_options(
    replies=700, steps=120, batch_size=8, seed_help="Of families, the choice and the order."
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
    cpu_threads: int | None,
    out: Path,
    db: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Make an up-mapping whose directions are ways of replying.

    An encoder reads what a stored unsteered reply means by its sentence embedding, and the
    up-mapping learns to turn that into the prefix that makes the reply likeliest. The checkpoint
    takes the neutral action always. It knows ways of replying, the middles of groups of replies;
    try these: `explore: {kind: ways}`.
    """
    from agents.lm.sentence_encoder import load_sentence_encoder
    from agents.steering.checkpoint import load_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from simworld.training.cloning.clone_checkpoint import latent_checkpoint
    from simworld.training.cloning.latent_map import LatentSettings
    from simworld.training.cloning.reply_encoder import size_problem

    if problem := size_problem(size, options["replies"]):
        raise InputError(problem)
    check_writable(out)
    clone = load_checkpoint(clone_folder)
    descent = descent_settings(options)
    settings = LatentSettings(size=size, ways=ways, strength=strength, training=descent)
    query = reply_query(options, dev=60)
    # Likelihoods are those of the distribution that drew the replies, and so are read in its number
    # format.
    dtype = clone.info.dtype
    with training_on_replies(
        "latent",
        "latent",
        db,
        clone,
        settings.to_json(),
        query,
        out,
        dtype=dtype,
        cpu_threads=cpu_threads,
    ) as training:
        embed = load_sentence_encoder().encode
        checkpoint, measured, neutrality = latent_checkpoint(
            training.data, clone, settings, embed=embed, **training.reporting
        )
        training.save(checkpoint)
    if as_json:
        metrics = dict(checkpoint.info.metrics)
        words = list(checkpoint.info.way_words)
        told = {"id": checkpoint.id, "folder": str(out), "metrics": metrics, "way_words": words}
        print_json(told)
        return
    say(
        f"{out}: {checkpoint.id}: {counted(checkpoint.info.d_action - 1, 'direction')},"
        f" {counted(checkpoint.info.ways, 'way')} of replying"
    )
    show_way_words(checkpoint.info)
    click.echo(
        f"  a reply behind its own code {estimate_text(measured.log_ratio)} nats likelier than"
        " behind another's"
    )
    click.echo("\n".join(neutrality_lines(neutrality)))
    say(f"  steering: {{planner: {out}, explore: {{kind: ways}}}}")
    suggest_next("agent new", "my-agent")
