"""`simworld train explain`: what a planner does, situation by situation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simworld.cli.options import db_option, json_option
from simworld.cli.output.policy_table import show_policy
from simworld.cli.output.text import print_json
from simworld.core.errors import InputError
from simworld.jobs.planner_argument import check_encoder, load_planner

if TYPE_CHECKING:
    from agents.steering.checkpoint import Checkpoint
    from store import Store


@click.command()
@click.argument("planner", metavar="PLANNER")
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="NAME",
    help="In the states of these runs. Default: those that the planner learned from.",
)
@click.option(
    "--data",
    "dataset",
    type=click.Path(path_type=Path, file_okay=False),
    help="In the states of a dataset's folder, whose episodes are in --db.",
)
@db_option
@json_option
def explain(
    planner: str, runs: tuple[str, ...], dataset: Path | None, db: str, as_json: bool
) -> None:
    """Show what a planner does as a table, situation by way.

    PLANNER is a checkpoint's folder, or a steered agent by name or file. In each stored state its
    action counts for the way of replying that it is nearest to. Situations are the conditions of
    the rules that it was rewarded by, else thirds of the turns by whether the partner's last line
    asks. A planner that does the same everywhere is a constant, and is told as one.
    """
    from simworld.training.data.dataset_folder import load_meta, load_transitions
    from simworld.training.rl.explain_policy import explain_runs, explain_transitions
    from store import open_store

    if runs and dataset is not None:
        raise InputError("--run and --data: give one of them")
    checkpoint = load_planner(planner)
    with open_store(db) as store:
        if dataset is not None:
            check_encoder(checkpoint, load_meta(dataset).encoder_id)
            policy = explain_transitions(checkpoint, store, load_transitions(dataset))
        else:
            chosen = _known_runs(store, runs, checkpoint)
            policy = explain_runs(checkpoint, store, chosen)
    if as_json:
        print_json({"planner": checkpoint.id, **policy.to_json()}, indent=2)
        return
    show_policy(policy)


def _known_runs(store: Store, runs: tuple[str, ...], checkpoint: Checkpoint) -> tuple[str, ...]:
    for run in runs:
        store.check_names(run=run)
    if runs:
        return runs
    query = checkpoint.info.data.get("query")
    learned_from = query.get("runs") if isinstance(query, dict) else None
    stored = {summary.run.name for summary in store.run_summaries()}
    known = tuple(run for run in learned_from or () if run in stored)
    if not known:
        raise InputError(
            f"{store.location} has no run that planner {checkpoint.id[:11]}… learned from; say"
            " with --run or --data in which states to look"
        )
    return known
