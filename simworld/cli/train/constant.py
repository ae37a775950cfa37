"""`simworld train constant`: the best constant action, which a planner must beat to be more than a
fixed prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.text import print_json, say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option

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
    required=True,
    help="What the data were collected with.",
)
@click.option("--out", type=FOLDER, required=True, help="The checkpoint's folder.")
@db_option
@json_option
def constant(
    db: str,
    dataset: Path | None,
    datasets: Path | None,
    parent_folder: Path,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the best constant action, to compare a planner with.

    By ridge regression of rewards on actions within families. R² says how much of the rewards it
    explains in families that it
    was not fitted to: 0 or less means that no direction is better than another, as far as these
    data show.
    """
    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from simworld.training.data.dataset_folder import load_meta
    from simworld.training.rl.best_constant import constant_checkpoint
    from simworld.training.rl.train_planner import load_training_data

    check_writable(out)
    parent = load_checkpoint(parent_folder)
    folder = dataset_folder(db, options, datasets) if dataset is None else dataset
    data, reward = load_training_data(folder), load_meta(folder).query.reward
    checkpoint = constant_checkpoint(
        parent, data.transitions, by_act=reward.by_act, data=data.provenance, dtype=data.dtype
    )
    save_checkpoint(out, checkpoint)
    if as_json:
        print_json(
            {"id": checkpoint.id, "folder": str(out), **checkpoint.info.model_dump(mode="json")}
        )
        return
    r2 = checkpoint.info.metrics.get("r2")
    say(
        f"{out}: {checkpoint.id}: R² {'unknown' if r2 is None else f'{r2:.4f}'}"
        " on held-out families"
    )
    if "way_value" in checkpoint.info.metrics:
        say(_explain_choice(checkpoint.info.metrics))
    say(f"  steering: {{planner: {out}}}")
    suggest_next("agent new", "my-agent")


def _explain_choice(metrics: Mapping[str, float]) -> str:
    kind = "a mixture of ways" if metrics["is_mixture"] else "a single way"
    return (
        f"  {kind}: the best single way brings {metrics['way_value']:+.3g}, drawn to the mean of"
        f" all; the mixture {metrics['mixture_value']:+.3g}, as a linear fit foretells"
    )
