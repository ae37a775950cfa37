"""`simworld train clone`: a planner that changes nothing, to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option, threads_option
from simworld.cli.output.text import print_json, say
from simworld.cli.train.reply_options import (
    descent_settings,
    neutrality_lines,
    reply_options,
    reply_query,
    training_on_replies,
)


@click.command()
@click.option(
    "--upmap",
    "base_folder",
    type=click.Path(path_type=Path),
    required=True,
    help="A checkpoint to start from.",
)
@click.option(
    "--loss",
    type=click.Choice(["kl", "ce"]),
    default="kl",
    help="KL to the unsteered model, or cross-entropy of its replies.",
)
@click.option(
    "--train-upmap", is_flag=True, help="The up-mapping learns too, and is held to its reach."
)
@click.option(
    "--reach",
    type=click.FloatRange(min=0),
    default=0.2,
    help="With --train-upmap: the reach to hold, in nats per token.",
)
@click.option(
    "--reach-weight",
    type=click.FloatRange(min=0),
    default=3.0,
    help="With --train-upmap: what reach counts against the loss.",
)
@reply_options(replies=240, steps=160, batch_size=2, seed_help="Of families, order, weights.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="float32",
    help="Numbers of the model.",
)
@threads_option
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The new checkpoint's folder."
)
@db_option
@json_option
@resumes
def clone(
    base_folder: Path,
    loss: Literal["kl", "ce"],
    train_upmap: bool,
    reach: float,
    reach_weight: float,
    dtype: str,
    cpu_threads: int | None,
    out: Path,
    db: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Teach a planner to change nothing: the steered model says what the unsteered one would.

    It learns from stored replies of unsteered agents, is chosen by those of other families, and is
    measured on those of families it has never seen.
    """
    from agents.steering.checkpoint import load_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from simworld.training.cloning.clone_checkpoint import clone_checkpoint
    from simworld.training.cloning.self_cloning import CloneSettings

    check_writable(out)
    base = load_checkpoint(base_folder)
    settings = CloneSettings(
        loss=loss,
        train_upmap=train_upmap,
        reach_target=reach,
        reach_weight=reach_weight,
        training=descent_settings(options),
    )
    query = reply_query(options)
    with training_on_replies(
        "clone",
        "cloning",
        db,
        base,
        settings.to_json(),
        query,
        out,
        dtype=dtype,
        cpu_threads=cpu_threads,
    ) as training:
        checkpoint, neutrality = clone_checkpoint(
            training.data, base, settings, **training.reporting
        )
        training.save(checkpoint)
    if as_json:
        metrics = dict(checkpoint.info.metrics)
        print_json({"id": checkpoint.id, "folder": str(out), "metrics": metrics})
        return
    say(f"{out}: {checkpoint.id}")
    click.echo("\n".join(neutrality_lines(neutrality)))
    suggest_next("train td3bc", "--clone", str(out), "--out", f"{out}-planner", db=db)
