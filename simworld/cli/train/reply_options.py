"""Options of commands that learn from stored replies, and what they share: the model, the store's
table of training, and words.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.options import Command
from simworld.core.counts import counted
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from agents.lm.local.local_model import LocalModel
    from agents.steering.checkpoint import Checkpoint
    from simworld.core.progress import MetricsSink
    from simworld.stats.intervals import Estimate
    from simworld.training.cloning.clone_checkpoint import ReplyQuery
    from simworld.training.cloning.neutrality import Neutrality
    from simworld.training.cloning.reply_training import ReplyTrainingSettings
    from store import Store

_SOURCE_OPTIONS = (
    click.option("--run", "run_name", metavar="NAME", help="Only replies of this run."),
    click.option("--agent", metavar="NAME", help="Only replies of this agent, by name or id."),
)
_REPLY_OPTIONS = (
    *_SOURCE_OPTIONS,
    click.option(
        "--replies", type=click.IntRange(min=1), default=240, help="To learn from, at most."
    ),
    click.option("--steps", type=click.IntRange(min=1), default=160, help="Updates."),
    click.option("--batch-size", type=click.IntRange(min=1), default=2, help="Replies a step."),
    click.option(
        "--lr", type=click.FloatRange(min=0, min_open=True), default=0.006, help="Learning rate."
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, help="Of families, order, weights."
    ),
)


def source_options(command: Command) -> Command:
    """Adds the options that say whose replies are meant."""
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


def reply_options(command: Command) -> Command:
    """Adds the options; the command gets them as keywords, and gives them to `reply_query` and
    `descent_settings`.
    """
    for option in reversed(_REPLY_OPTIONS):
        command = option(command)
    return command


def reply_query(options: Mapping[str, Any]) -> ReplyQuery:
    """Which replies a command's options mean."""
    from simworld.training.cloning.clone_checkpoint import ReplyQuery

    return ReplyQuery(
        run=options["run_name"],
        agent=options["agent"],
        train=options["replies"],
        seed=options["seed"],
    )


def descent_settings(options: Mapping[str, Any]) -> ReplyTrainingSettings:
    """How a command's options say to descend."""
    from simworld.training.cloning.reply_training import ReplyTrainingSettings

    return ReplyTrainingSettings(
        steps=options["steps"],
        batch_size=options["batch_size"],
        lr=options["lr"],
        seed=options["seed"],
    )


def open_local(base: Checkpoint, dtype: str, threads: int | None) -> LocalModel:
    """The language model that a checkpoint is for. Raises InputError where what its spec names is
    another now.
    """
    from agents.lm.load import find_local_weights
    from agents.lm.local.local_model import load_local_model

    weights = find_local_weights(base.info.lm_spec)
    if weights.id != base.info.lm_id:
        raise InputError(
            f"the checkpoint was made for {base.info.lm_spec} ({base.info.lm_id[:12]}…), which is"
            f" another model here ({weights.id[:12]}…)"
        )
    click.echo(f"loading {base.info.lm_spec} …", err=True)
    return load_local_model(weights, dtype=dtype, device="auto", threads=threads)


@contextmanager
def record_training(
    store: Store, kind: str, out: Path, settings: Mapping[str, Any], data: Mapping[str, Any]
) -> Iterator[tuple[MetricsSink, Callable[[Checkpoint], None]]]:
    """A training in the store: where its steps go, and whom to tell about the checkpoint it came
    to, once that is saved.
    """
    from datetime import UTC, datetime

    from simworld.code_version import code_version
    from simworld.training.metrics_log import log_to_store, new_training_record

    name = f"{kind} {out.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
    record = new_training_record(name, kind, code_version(), settings, data)

    def finish(checkpoint: Checkpoint) -> None:
        metrics = checkpoint.info.metrics
        store.finish_training(name, checkpoint_id=checkpoint.id, metrics=metrics)
        shutil.rmtree(work_folder(out), ignore_errors=True)

    try:
        with log_to_store(store, record) as log:
            yield log, finish
    except KeyboardInterrupt:
        store.finish_training(name, status="failed")
        click.echo("Stopped; the same command goes on from where it was.", err=True)
        raise click.exceptions.Exit(130) from None


def work_folder(out: Path) -> Path:
    """Where a training keeps its state until its checkpoint is saved in `out`."""
    return out.with_name(f".{out.name}-training")


def neutrality_lines(neutrality: Neutrality) -> list[str]:
    """What a planner is worth, for people."""
    families = counted(neutrality.kl.families, "family", "families")
    counts = (
        f"{counted(neutrality.replies, 'reply', 'replies')}, {counted(neutrality.kl.n, 'token')}"
    )
    return [
        f"  KL to the unsteered model   {estimate_text(neutrality.kl)} nats per token",
        f"    of random directions      {estimate_text(neutrality.random_kl)}",
        f"  reach                       {estimate_text(neutrality.reach)}",
        f"  greedy agreement            {estimate_text(neutrality.agreement)}",
        f"  perplexity, steered/plain   {estimate_text(neutrality.perplexity_ratio)}",
        f"  on {counts}, of {families} that it has not seen",
    ]


def estimate_text(estimate: Estimate) -> str:
    """A number with its interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.mean:.4f}"
    return f"{estimate.mean:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
