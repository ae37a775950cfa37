"""`simworld train export`: a dataset as one .npz, or for Minari."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option
from simworld.cli.output.text import say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option
from simworld.core.counts import counted
from simworld.core.errors import InputError


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["npz", "minari"]),
    default="npz",
    help="Of the dataset.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="npz: the file. minari: the folder that holds Minari's datasets.",
)
@click.option("--name", default="simworld-v0", help="minari: the dataset's name.")
@click.option("--force", is_flag=True, help="npz: replace the file if it exists.")
@data_options
@datasets_option
@db_option
def export(
    db: str, datasets: Path | None, format_: str, out: Path, name: str, force: bool, **options: Any
) -> None:
    """Write a dataset as .npz or for Minari.

    What is written is what `simworld train inspect` shows with the same options.
    """
    from simworld.export import new_file
    from simworld.training.data.dataset_export import export_minari, export_npz

    if format_ == "npz":
        with new_file(out, force=force) as temporary:
            count = export_npz(dataset_folder(db, options, datasets), temporary)
        say(f"Wrote {counted(count, 'transition')} to {out}.")
        suggest_next("train inspect", db=db)
        return
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give --out the folder that holds Minari's datasets")
    count = export_minari(dataset_folder(db, options, datasets), name, out)
    say(f"Wrote {counted(count, 'episode')} as {name} in {out}.")
    suggest_next("train inspect", db=db)
