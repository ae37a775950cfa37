"""`simworld train constant`: the best constant action, which a planner must beat to be more than a
fixed prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.text import print_json, say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option
from simworld.core.errors import InputError
from simworld.jobs.planner_argument import check_encoder, load_planner

if TYPE_CHECKING:
    from agents.steering.checkpoint import Checkpoint

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--data",
    "dataset",
    type=FOLDER,
    help="A dataset's folder; default: built from --db by the query.",
)
@data_options
@datasets_option
@click.option(
    "--clone",
    "parent_folder",
    type=FOLDER,
    help="What the data were collected with; needed without --mean-of.",
)
@click.option(
    "--mean-of",
    "planner",
    metavar="PLANNER",
    help=(
        "In place of the best: the mean of what this planner (a folder, or a steered agent) does in"
        " the states of the data, rewarded or not."
    ),
)
@click.option("--out", type=FOLDER, required=True, help="The checkpoint's folder.")
@db_option
@json_option
def constant(
    db: str,
    dataset: Path | None,
    datasets: Path | None,
    parent_folder: Path | None,
    planner: str | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the best constant action, to compare a planner with.

    By ridge regression of rewards on actions within families. R² says how much of the rewards it
    explains in families that it was not fitted to: 0 or less means that no direction is better than
    another, as far as these data show.
    """
    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from agents.steering.checkpoint_folder import check_writable

    if (parent_folder is None) == (planner is None):
        raise InputError("give either --clone, for the best constant, or --mean-of")
    check_writable(out)
    if planner is not None:
        options["states_only"] = True
        checkpoint = _mean_constant(planner, dataset or dataset_folder(db, options, datasets))
    else:
        assert parent_folder is not None
        parent = load_checkpoint(parent_folder)
        folder = dataset_folder(db, options, datasets) if dataset is None else dataset
        checkpoint = _best_constant(parent, folder)
    save_checkpoint(out, checkpoint)
    if as_json:
        print_json(
            {"id": checkpoint.id, "folder": str(out), **checkpoint.info.model_dump(mode="json")}
        )
        return
    if planner is not None:
        say(f"{out}: {checkpoint.id}: the mean action of {planner}")
    else:
        _tell_explained(out, checkpoint)
    say(f"  steering: {{planner: {out}}}")
    suggest_next("agent new", "my-agent")


def _best_constant(parent: Checkpoint, folder: Path) -> Checkpoint:
    from simworld.training.data.dataset_folder import load_meta
    from simworld.training.rl.best_constant import constant_checkpoint
    from simworld.training.rl.train_planner import load_training_data

    data, reward = load_training_data(folder), load_meta(folder).query.reward
    return constant_checkpoint(
        parent, data.transitions, by_act=reward.by_act, data=data.provenance, dtype=data.dtype
    )


def _mean_constant(planner: str, folder: Path) -> Checkpoint:
    from simworld.training.data.dataset_folder import load_meta, load_transitions
    from simworld.training.rl.mean_action import mean_action_checkpoint

    checkpoint, meta = load_planner(planner), load_meta(folder)
    check_encoder(checkpoint, meta.encoder_id)
    return mean_action_checkpoint(checkpoint, load_transitions(folder), data=meta.provenance())


def _tell_explained(out: Path, checkpoint: Checkpoint) -> None:
    metrics = checkpoint.info.metrics
    r2 = metrics.get("r2")
    say(
        f"{out}: {checkpoint.id}: R² {'unknown' if r2 is None else f'{r2:.4f}'}"
        " on held-out families"
    )
    if "way_value" in metrics:
        say(_explain_choice(metrics))


def _explain_choice(metrics: Mapping[str, float]) -> str:
    kind = "a mixture of ways" if metrics["is_mixture"] else "a single way"
    return (
        f"  {kind}: the best single way brings {metrics['way_value']:+.3g}, drawn to the mean of"
        f" all; the mixture {metrics['mixture_value']:+.3g}, as a linear fit foretells"
    )
