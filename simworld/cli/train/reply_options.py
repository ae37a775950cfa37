"""Options of commands that learn from stored replies, and what they share: the training with its
model and its record in the store, and words.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.options import Command, option_group
from simworld.core.counts import counted
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from agents.lm.local.local_model import LocalModel
    from agents.steering.checkpoint import Checkpoint
    from simworld.stats.intervals import Estimate
    from simworld.training.cloning.clone_checkpoint import CloningData, ReplyQuery
    from simworld.training.cloning.neutrality import Neutrality
    from simworld.training.cloning.reply_training import ReplyTrainingSettings

POSITIVE = click.IntRange(min=1)
ABOVE_0 = click.FloatRange(min=0, min_open=True)


def reply_options(
    *, replies: int, steps: int, batch_size: int, seed_help: str
) -> Callable[[Command], Command]:
    """The options with these defaults; the command gets them as keywords, and gives them to
    `reply_query` and `descent_settings`.
    """
    return option_group(
        click.option("--run", "run_name", metavar="NAME", help="Only replies of this run."),
        click.option("--agent", metavar="NAME", help="Only replies of this agent, by name or id."),
        click.option("--replies", type=POSITIVE, default=replies, help="To learn from, at most."),
        click.option("--steps", type=POSITIVE, default=steps, help="Updates."),
        click.option("--batch-size", type=POSITIVE, default=batch_size, help="Replies a step."),
        click.option("--lr", type=ABOVE_0, default=0.006, help="Learning rate."),
        click.option("--seed", type=click.IntRange(min=0), default=0, help=seed_help),
    )


def reply_query(options: Mapping[str, Any], **sizes: int) -> ReplyQuery:
    """Which replies a command's options mean; `sizes` of its other parts."""
    from simworld.training.cloning.clone_checkpoint import ReplyQuery

    run, agent, train = (options[name] for name in ("run_name", "agent", "replies"))
    return ReplyQuery(run=run, agent=agent, train=train, seed=options["seed"], **sizes)


def descent_settings(options: Mapping[str, Any]) -> ReplyTrainingSettings:
    """How a command's options say to descend."""
    from simworld.training.cloning.reply_training import ReplyTrainingSettings

    names = ("steps", "batch_size", "lr", "seed")
    return ReplyTrainingSettings(**{name: options[name] for name in names})


def _open_local(base: Checkpoint, dtype: str, cpu_threads: int | None) -> LocalModel:
    """The language model that a checkpoint is for. Raises InputError where what its spec names is
    another now.
    """
    from agents.lm.local.local_model import load_local_model
    from agents.lm.local_spec import find_local_weights

    weights = find_local_weights(base.info.lm_spec)
    if weights.id != base.info.lm_id:
        raise InputError(
            f"the checkpoint was made for {base.info.lm_spec} ({base.info.lm_id[:12]}…), which is"
            f" another model here ({weights.id[:12]}…)"
        )
    click.echo(f"loading {base.info.lm_spec} …", err=True)
    return load_local_model(weights, dtype=dtype, device="auto", cpu_threads=cpu_threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTraining:
    """A training on stored replies under way."""

    data: CloningData
    reporting: dict[str, Any]  # whom the training tells how far it is, and where its state is kept
    save: Callable[[Checkpoint], None]  # writes what it came to, and ends its record in the store


@contextmanager
def training_on_replies(
    kind: str,
    doing: str,
    db: str,
    base: Checkpoint,
    settings: Mapping[str, Any],
    query: ReplyQuery,
    out: Path,
    *,
    dtype: str,
    cpu_threads: int | None,
) -> Iterator[ReplyTraining]:
    """A training that starts from `base`, recorded in the store, with a bar that says what it is
    `doing`.
    """
    from datetime import UTC, datetime

    from agents.steering.checkpoint import save_checkpoint
    from simworld.code_version import code_version
    from simworld.jobs.progress import progress_bar
    from simworld.training.cloning.clone_checkpoint import open_cloning_data
    from simworld.training.metrics_log import log_to_store, new_training_record
    from store import open_store

    with open_store(db) as store, progress_bar(doing) as show:
        store.check_names(run=query.run, agent=query.agent)  # before the model is loaded
        local = _open_local(base, dtype, cpu_threads)
        with open_cloning_data(store, local, base, query, show) as data:
            name = f"{kind} {out.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
            record = new_training_record(name, kind, code_version(), settings, data.provenance)

            def save(checkpoint: Checkpoint) -> None:
                save_checkpoint(out, checkpoint)
                metrics = checkpoint.info.metrics
                store.finish_training(name, checkpoint_id=checkpoint.id, metrics=metrics)
                shutil.rmtree(work_folder(out), ignore_errors=True)

            try:
                with log_to_store(store, record) as log:
                    reporting = {"sink": log, "on_progress": show, "state_folder": work_folder(out)}
                    yield ReplyTraining(data=data, reporting=reporting, save=save)
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
