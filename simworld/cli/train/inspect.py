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
from simworld.core.errors import InputError, StoreMismatch

if TYPE_CHECKING:
    from simworld.training.data.dataset_inspection import Histogram, Inspection
    from simworld.training.data.reward_rules import RewardRule
    from simworld.training.data.transitions import Transitions
    from simworld.training.data.variance_explained import VarianceExplained
    from simworld.training.rl.act_situations import ActSituations
    from simworld.training.rl.off_policy_values import ValueDifference
    from simworld.training.rl.policy_inspection import PolicyInspection, PolicyValue

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
    help=(
        "Tell too what each way brings in each situation, and what the best constant, a choice by"
        " situation and one by state would bring: up to minutes."
    ),
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
    found = _inspect_policies(db, folder, inspection) if policies else None
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


def _inspect_policies(db: str, folder: Path, inspection: Inspection) -> PolicyInspection:
    from simworld.training.data.dataset_folder import load_transitions
    from simworld.training.rl.policy_inspection import inspect_policies

    reward = inspection.meta.query.reward
    if not reward.by_act:
        raise InputError(
            f"policies are compared by rewards that tell acts apart; this one is placed at"
            f" {reward.placement}"
        )
    transitions = load_transitions(folder)
    situations = _rule_situations(db, transitions, reward.rules) if reward.rules else None
    return inspect_policies(transitions, situations=situations)


def _rule_situations(
    db: str, transitions: Transitions, rules: tuple[RewardRule, ...]
) -> ActSituations | None:
    """The situations of the rules' conditions, where the database has the episodes."""
    from simworld.training.rl.act_situations import situations_by_rules
    from store import open_store

    try:
        with open_store(db) as store:
            return situations_by_rules(transitions, store, rules)
    except (InputError, StoreMismatch) as error:
        click.echo(
            f"Note: situations are thirds of the turns, for the rules' conditions are told from"
            f" episodes, and {harmless(str(error))}; name their database with --db.",
            err=True,
        )
        return None


def _show_policies(found: PolicyInspection) -> None:
    click.echo(
        f"Policies over {found.ways} ways, in deviations of the reward, cross-fitted over"
        f" {counted(found.difference.families, 'family', 'families')}:"
    )
    by_state = (found.regression, found.difference, found.acts_needed)
    values: dict[str, tuple[float, ValueDifference | None, int | None]]
    values = {"best way": (found.best_way, None, None)}
    values["best constant, ways mixed"] = _value_cells(found.best_constant)
    values["best way in each situation"] = _value_cells(found.by_situation)
    values["best way in each state"] = by_state
    numbers = ("value", "gain", "± se", "z", "acts for z 4")
    table = grid("", *numbers, right=numbers)
    for name, (value, gain, needed) in values.items():
        gains = ("", "", "")
        if gain is not None:
            gains = (f"{gain.mean:+.3f}", f"{gain.se:.3f}", f"{gain.z:.1f}")
        acts = "" if gain is None else "–" if needed is None else f"{needed:,}"
        table.add_row(name, f"{value:+.3f}", *gains, acts)
    console().print(table)
    click.echo("What rewards can be foretold from, on unseen families:")
    table = grid("", "R²", "p", right=("R²", "p"))
    foretold = {
        "action": found.by_action,
        "state": found.by_state,
        "state × action, beyond both": found.by_product,
    }
    for name, part in foretold.items():
        table.add_row(name, f"{part.r2:.4f}", f"{part.p:.3f}")
    console().print(table)
    click.echo("What each way brings in each situation (mean ± se, n acts that took it):")
    table = grid("way", *(f"{name} ({n})" for name, n in found.situations.items()))
    for way in range(found.ways):
        cells = [cell for cell in found.table if cell.way == way]
        table.add_row(
            str(way + 1),
            *(
                f"{cell.mean:+.2f} ± {'–' if cell.se is None else f'{cell.se:.2f}'}, {cell.n}"
                for cell in cells
            ),
        )
    console().print(table)


def _value_cells(policy: PolicyValue) -> tuple[float, ValueDifference | None, int | None]:
    return policy.value, policy.gain, policy.acts_needed


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
    source = source_by_measure.get(reward.measure, reward.extension)
    return f"{reward.measure} ({source}), {reward.placement}, {centred}"


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
