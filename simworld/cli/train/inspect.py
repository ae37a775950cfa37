"""`simworld train inspect`: what a dataset covers, and whether anything can be learned from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import harmless, print_json, say
from simworld.cli.train.dataset_options import data_options, dataset_folder, datasets_option
from simworld.core.counts import counted
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from simworld.training.data.dataset_inspection import Histogram, Inspection
    from simworld.training.data.variance_explained import VarianceExplained
    from simworld.training.rl.policy_inspection import PolicyInspection

BAR_CHARS = 40  # characters of the longest bar
MAX_FAMILIES = 12  # shown


@click.command("inspect")
@click.option(
    "--data",
    "dataset",
    type=click.Path(path_type=Path, file_okay=False),
    help="A dataset's folder, such as `learn` makes; default: built from --db by the query.",
)
@data_options
@datasets_option
@click.option(
    "--policies",
    is_flag=True,
    help="Tell too what the best way, and the best way in each state, would bring: minutes.",
)
@db_option
@json_option
def inspect_(
    db: str,
    dataset: Path | None,
    datasets: Path | None,
    policies: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what a dataset covers and whether it can teach.

    Steered acts by default; the same options choose the data of the other commands.
    """
    from simworld.training.data.dataset_inspection import inspect_dataset

    folder = dataset_folder(db, options, datasets) if dataset is None else dataset
    inspection = inspect_dataset(folder)
    found = _inspect_policies(folder, inspection) if policies else None
    if as_json:
        report = asdict(inspection) | {
            "meta": inspection.meta.model_dump(mode="json"),
            "folder": str(folder),
        }
        if found is not None:
            report["policies"] = asdict(found) | {"acts_needed": found.acts_needed}
        print_json(report, indent=2)
        return
    _show_inspection(inspection)
    if found is not None:
        _show_policies(found)
    for warning in inspection.warnings:
        click.echo(f"Note: {harmless(warning)}.", err=True)
    say(f"Dataset {folder}")


def _inspect_policies(folder: Path, inspection: Inspection) -> PolicyInspection:
    from simworld.training.data.dataset_folder import load_transitions
    from simworld.training.rl.policy_inspection import inspect_policies

    if not inspection.meta.query.reward.by_act:
        raise InputError(
            "policies are compared by rewards that tell acts apart; this one is placed at"
            f" {inspection.meta.query.reward.placement}"
        )
    return inspect_policies(load_transitions(folder))


def _show_policies(found: PolicyInspection) -> None:
    difference = found.difference
    needed = found.acts_needed
    click.echo(
        f"Policies over {found.ways} ways, in deviations of the reward, cross-fitted over"
        f" {counted(difference.families, 'family', 'families')}:\n"
        f"  best way               {found.best_way:+.3f}\n"
        f"  best way in each state {found.regression:+.3f}: {difference.mean:+.3f} ±"
        f" {difference.se:.3f}, z {difference.z:.1f}\n"
        f"  R² on unseen families  {found.r2:.3f}; where state and action do not meet"
        f" {found.r2_without_product:.3f}"
    )
    if needed is not None:
        click.echo(f"  About {needed:,} acts show a difference of this size at z 4.")


def _show_inspection(inspection: Inspection) -> None:
    meta = inspection.meta
    table = grid("", "")
    planners = sorted(meta.planners.items())
    rows = {
        "transitions": (
            f"{inspection.transitions:,} of {counted(inspection.seats, 'seat')} in"
            f" {counted(inspection.episodes, 'episode')}"
        ),
        "left out": (
            f"{meta.failed} failed episodes; seats: {meta.unscored} unscored,"
            f" {meta.without_action} no action"
        ),
        "endings of seats": ", ".join(f"{end} {n}" for end, n in sorted(meta.endings.items())),
        "families": _families_text(inspection.families),
        "state, action": (
            f"{counted(meta.d_state, 'number')} by {meta.encoder_id[:16]},"
            f" {counted(meta.d_action, 'number')}"
        ),
        "planners": ", ".join(f"{id_[:16] or 'none'} ({counted(n, 'act')})" for id_, n in planners),
    }
    if not meta.query.states_only:
        scores = inspection.scores
        rows["reward"] = _reward_text(inspection)
        rows["score, not centred"] = f"mean {scores.mean:.4f}, sd {scores.sd:.4f}"
        rows["judge noise"] = _judge_noise_text(inspection)
    if inspection.dispersion:
        d = inspection.dispersion
        cosine = "" if d.cosine is None else f", mean cosine of pairs {d.cosine:.3f}"
        rows["action direction"] = f"resultant length {d.resultant:.3f} (1: all alike){cosine}"
        rank = f"{d.effective_rank:.1f} of {d.dimensions}"
        rows["action rank"] = f"{rank}; mean norm {d.mean_norm:.3f}"
        rows["R² by episode"] = _variance_text(inspection.by_episode)
        if meta.query.reward.by_act:
            rows["R² by act"] = _variance_text(inspection.by_act)
    for name, text in rows.items():
        table.add_row(name, harmless(text))
    console().print(table)
    if not meta.query.states_only:
        click.echo("Rewards:")
        _draw_histogram(inspection.rewards)


def _families_text(counts: dict[str, int]) -> str:
    by_size = sorted(counts, key=lambda name: (-counts[name], name))
    rest_text = f", and {len(by_size) - MAX_FAMILIES} more" if len(by_size) > MAX_FAMILIES else ""
    return (
        f"{len(by_size)}: "
        + ", ".join(f"{name} {counts[name]}" for name in by_size[:MAX_FAMILIES])
        + rest_text
    )


def _reward_text(inspection: Inspection) -> str:
    reward = inspection.meta.query.reward
    source_by_measure = {
        "judged": ", ".join(inspection.meta.weights),
        "lexical": reward.pattern,
        "embedding": reward.text,
        "rules": counted(len(reward.rules), "rule"),
    }
    centred = "centred by family" if reward.centre else "not centred"
    return f"{reward.measure} ({source_by_measure[reward.measure]}), {reward.placement}, {centred}"


def _judge_noise_text(inspection: Inspection) -> str:
    meta, sd = inspection.meta, inspection.scores.sd
    if meta.judge_sd is None:
        return "unknown: nothing was judged twice by one judge"
    share = f"; {meta.judge_sd**2 / sd**2:.0%} of the scores' variance" if sd else ""
    return (
        f"sd {meta.judge_sd:.4f} between judgements of one seat"
        f" ({counted(meta.judge_repeats, 'seat')}){share}"
    )


def _variance_text(explained: VarianceExplained | None) -> str:
    if explained is None:
        return (
            "unknown: it takes two families with two scored seats each, and scores that differ"
            " within one"
        )
    verdict = (
        "nothing to learn for a linear planner without states"
        if explained.r2 <= 0
        else "there is something to learn"
    )
    families = counted(explained.families, "family", "families")
    return (
        f"{explained.r2:.4f} on held-out families"
        f" (n {explained.n}, {families}, {explained.folds} folds): {verdict}"
    )


def _draw_histogram(histogram: Histogram) -> None:
    top = max(histogram.counts)
    for low, high, count in zip(
        histogram.edges, histogram.edges[1:], histogram.counts, strict=False
    ):
        click.echo(
            f"  {low:+8.4f} to {high:+8.4f} {count:>9,} {'█' * round(BAR_CHARS * count / top)}"
        )
