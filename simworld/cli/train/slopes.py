"""`simworld train slopes`: how likely each stored reply would have been at other actions, for `train td3bc --slopes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from simworld.cli.options import db_option, json_option, threads_option
from simworld.cli.text import harmless, plain_json
from simworld.cli.train.data import build, data_options, datasets_option
from simworld.cli.train.replies import open_local

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@data_options
@datasets_option
@click.option(
    "--clone", "clone_folder", type=FOLDER, required=True, help="The checkpoint that the episodes were played with."
)
@click.option(
    "--most", type=click.IntRange(min=1), default=1000, show_default=True, help="Transitions read back, at most."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the choice.")
@threads_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file, NAME.npz.")
@db_option
@json_option
def slopes(
    db: str,
    datasets: Path | None,
    clone_folder: Path,
    most: int,
    seed: int,
    threads: int | None,
    out: Path,
    as_json: bool,
    **given: Any,
) -> None:
    """Read stored replies back through the model: which neighbouring actions would have made each of them likelier.

    A planner learns several times more from an episode with them (docs/training.md). The model reads in the number format that it
    wrote in; a reply takes about half a second on a core. The file serves every dataset with these replies, whatever its reward.
    """
    from agents.steering.checkpoint import load_checkpoint
    from simworld.cli.progress import progress_bar
    from simworld.training.dataset_slopes import dataset_slopes
    from simworld.training.folder import load_meta, load_transitions
    from simworld.training.slope_file import save_slopes
    from simworld.training.teacher import open_teacher
    from store import open_store

    checkpoint = load_checkpoint(clone_folder)
    dataset = build(db, given, datasets)
    meta, transitions = load_meta(dataset), load_transitions(dataset)
    local = open_local(checkpoint, meta.dtype or "float32", threads)  # slopes of what drew the replies
    with (
        open_store(db) as store,
        progress_bar("reading back") as show,
        open_teacher(local, checkpoint.info.position) as teacher,
    ):
        found = dataset_slopes(
            store, teacher, checkpoint, transitions, runs=meta.query.runs, most=most, seed=seed, on_progress=show
        )
    save_slopes(out, found, transitions, checkpoint.id)
    known = int(np.isfinite(found).all(1).sum())
    if as_json:
        click.echo(plain_json({"file": str(out), "known": known, "rows": len(found)}))
    else:
        click.echo(harmless(f"{out}: slopes of {known} of {len(found)} transitions"))
