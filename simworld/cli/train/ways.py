"""`simworld train ways`: which ways of replying were rewarded, and an up-mapping that knows only
the best.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import print_json, say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option
from simworld.cli.train.way_words import show_way_words
from simworld.core.counts import counted
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from agents.steering.checkpoint import Checkpoint
    from simworld.training.rl.ways_of_replying import WayRanking

FOLDER = click.Path(path_type=Path, file_okay=False)
MAX_EXAMPLE_CHARS = 90  # characters of an utterance that are shown


@click.command()
@data_options
@datasets_option
@click.option(
    "--of",
    "parent_folder",
    type=FOLDER,
    help="With --out: the latent up-mapping they were collected with.",
)
@click.option(
    "--keep", type=click.IntRange(min=1), help="With --out: so many of the best. Default: all."
)
@click.option(
    "--share",
    "shares",
    type=click.FloatRange(0, 1, max_open=True),
    multiple=True,
    metavar="COSINE",
    help="With --out: know each way with this share of the neutral action: 0.7 as `train latent` "
    "makes them, less is stronger. May be given several times. Default: as they are.",
)
@click.option(
    "--neutral", is_flag=True, help="With --out: know the neutral action too, to compare with."
)
@click.option(
    "--beside",
    "beside_folder",
    type=FOLDER,
    help="With --out: know the ways of this checkpoint too, of the same up-mapping.",
)
@click.option(
    "--out",
    type=FOLDER,
    help="Write a checkpoint that knows the best alone, to try them more often.",
)
@db_option
@json_option
def ways(
    db: str,
    datasets: Path | None,
    parent_folder: Path | None,
    keep: int | None,
    shares: tuple[float, ...],
    neutral: bool,
    beside_folder: Path | None,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Show which ways of replying were rewarded; keep the best.

    For data collected with `explore: {kind: ways}`. Rewards are centred by family. `expected` is
    the mean drawn towards that of all
    ways, by how much ways differ at all: what to expect of it when it is tried again.
    """
    from agents.steering.checkpoint import load_checkpoint, save_checkpoint
    from simworld.training.data.dataset_folder import load_meta, load_transitions
    from simworld.training.data.dataset_turns import dataset_turns
    from simworld.training.rl.way_names import name_ways
    from simworld.training.rl.ways_of_replying import join_ways, keep_best_ways, rank_ways
    from store import open_store

    if (out is None) != (parent_folder is None):
        raise InputError("--out and --of: give both, to write a checkpoint, or neither")
    if out is None and (keep or shares or neutral or beside_folder):
        raise InputError(
            "--keep, --share, --neutral and --beside say what a checkpoint knows; give --out and"
            " --of too"
        )
    parent = load_checkpoint(parent_folder) if parent_folder is not None else None
    beside = load_checkpoint(beside_folder) if beside_folder is not None else None
    folder = dataset_folder(db, options, datasets)
    transitions, planners = load_transitions(folder), load_meta(folder).planners
    if parent is not None and parent.id not in planners:
        raise InputError(
            f"--of {parent_folder}: is planner {parent.id}; the data were collected with"
            f" {', '.join(sorted(planners))}"
        )
    tried = rank_ways(transitions)
    checkpoint: Checkpoint | None = None
    if parent is not None and out is not None:
        checkpoint = keep_best_ways(
            parent, tried, count=keep or len(tried.ways), cosines=shares, keep_neutral=neutral
        )
        if beside is not None:
            checkpoint = join_ways(checkpoint, beside)
    with open_store(db) as store:
        utterances = [turn.text for turn in dataset_turns(store, transitions)]
    if checkpoint is not None and out is not None:
        checkpoint = name_ways(checkpoint, transitions, utterances)
        save_checkpoint(out, checkpoint)
    examples = [utterances[way.row] for way in tried.ways]
    if as_json:
        rows = [
            {
                **asdict(way.reward),
                "expected": way.shrunken_mean,
                "action": way.action.tolist(),
                "utterance": example,
            }
            for way, example in zip(tried.ways, examples, strict=True)
        ]
        report = {
            "between": tried.between_sd,
            "p": tried.p_value,
            "counted": "acts" if tried.by_act else "seats",
            "ways": rows,
        }
        print_json(report | (_checkpoint_json(checkpoint, out) if checkpoint else {}), indent=2)
        return
    _show_ways(tried, examples)
    if checkpoint:
        say(f"{out}: {checkpoint.id}: {counted(checkpoint.info.ways, 'way')} of replying")
        show_way_words(checkpoint.info)
        say(f"  steering: {{planner: {out}, explore: {{kind: ways, per: episode}}}}")
        suggest_next("agent new", "my-agent")


def _checkpoint_json(checkpoint: Checkpoint, out: Path | None) -> dict[str, Any]:
    words = list(checkpoint.info.way_words)
    return {"id": checkpoint.id, "folder": str(out), "way_words": words}


def _show_ways(tried: WayRanking, examples: list[str]) -> None:
    unit = "acts" if tried.by_act else "seats"
    columns = ("way", unit, "reward", "95 %", "expected", "for example")
    table = grid(*columns, right=("way", unit, "reward", "expected"))
    for number, (way, example) in enumerate(zip(tried.ways, examples, strict=True), start=1):
        reward = way.reward
        interval = (
            ""
            if reward.low is None or reward.high is None
            else f"[{reward.low:+.3f}, {reward.high:+.3f}]"
        )
        example_text = (
            example if len(example) <= MAX_EXAMPLE_CHARS else example[: MAX_EXAMPLE_CHARS - 1] + "…"
        )
        table.add_row(
            str(number),
            str(reward.n),
            f"{reward.mean:+.4f}",
            interval,
            f"{way.shrunken_mean:+.4f}",
            cell(example_text),
        )
    console().print(table)
    click.echo(f"between ways {tried.between_sd:.4f} (standard deviation beyond chance)")
    click.echo(f"p {tried.p_value:.2g} (as much or more by chance; permutations within families)")
