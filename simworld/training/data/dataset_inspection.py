"""An inspection tells what is in a dataset and whether anything can be learned from it: coverage,
dispersion, and how far actions explain rewards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simworld.core.counts import counted
from simworld.training.data.dataset_folder import (
    DatasetMeta,
    load_meta,
    load_scores,
    load_transitions,
)
from simworld.training.data.future_rewards import when_actions_pay
from simworld.training.data.transitions import ACTION_ROWS, Transitions
from simworld.training.data.variance_explained import VarianceExplained, variance_explained

HISTOGRAM_BINS = 10
MAX_FAMILIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of numbers in bins."""

    edges: tuple[float, ...]  # one more than counts
    counts: tuple[int, ...]
    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispersion:
    """How far actions differ."""

    resultant: float  # length of the mean direction: 1 all alike, near 0 all over the sphere
    cosine: float | None  # mean over pairs; None for one action
    # exp of the entropy of the covariance's spectrum (Roy & Vetterli 2007), 0 to d'; 0: no spread
    effective_rank: float
    dimensions: int  # d'
    mean_norm: float
    distinct: bool  # whether at least two actions differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a dataset covers, and what speaks against learning from it."""

    meta: DatasetMeta
    episodes: int
    seats: int  # seats of episodes
    transitions: int
    families: dict[str, int]  # family → transitions
    rewards: Histogram
    scores: Histogram  # of the seats' parts of episodes, before centring
    dispersion: Dispersion | None  # None: states only
    by_episode: VarianceExplained | None  # a seat's centred score by the mean of its actions
    # an act's reward by its action, where rewards are told apart act by act
    by_act: VarianceExplained | None
    warnings: tuple[str, ...]


def inspect_dataset(folder: Path) -> Inspection:
    """Inspects a dataset, and reads its actions a few at a time. Raises InputError where the folder
    holds none.
    """
    meta, data = load_meta(folder), load_transitions(folder)
    scores = load_scores(folder, len(data.episode_names))
    dispersion = action_dispersion(data.actions) if meta.d_action else None
    learnable = meta.d_action > 0 and len(meta.families) > 1
    family_of = data.episode_families
    centred = scores - np.array([meta.family_means[name] for name in meta.families])[family_of]
    by_episode = (
        variance_explained(data.episode_actions(), centred, family_of) if learnable else None
    )
    by_act = (
        variance_explained(data.actions, data.rewards, data.family_index)
        if learnable and meta.query.reward.by_act
        else None
    )
    return Inspection(
        meta=meta,
        episodes=len({name.split("/")[0] for name in data.episode_names}),
        seats=len(data.episode_names),
        transitions=len(data),
        families={
            meta.families[i]: n for i, n in sorted(Counter(data.family_index.tolist()).items())
        },
        rewards=make_histogram(np.asarray(data.rewards, dtype=np.float64)),
        scores=make_histogram(scores),
        dispersion=dispersion,
        by_episode=by_episode,
        by_act=by_act,
        warnings=tuple(_learning_warnings(meta, data, scores, dispersion)),
    )


def dataset_coverage(folder: Path) -> dict[str, Any]:
    """Gives what a planner was trained on, as plain JSON data for the record of its training; of
    families the 200 largest.
    """
    meta, data = load_meta(folder), load_transitions(folder)
    scores = load_scores(folder, len(data.episode_names))
    families = Counter(data.family_index.tolist()).most_common(MAX_FAMILIES)
    return {
        "episodes": len({name.split("/")[0] for name in data.episode_names}),
        "seats": len(data.episode_names),
        "transitions": len(data),
        "families": {meta.families[i]: n for i, n in families},
        "rewards": asdict(make_histogram(np.asarray(data.rewards, dtype=np.float64))),
        "scores": asdict(make_histogram(scores)),
        "dispersion": asdict(action_dispersion(data.actions)) if meta.d_action else None,
        "endings": meta.endings,
        "failed": meta.failed,
        "unscored": meta.unscored,
    }


def make_histogram(values: NDArray[np.float64]) -> Histogram:
    """Counts values (n,) in ten bins over their range, or in one where they are all alike."""
    low, high = float(values.min()), float(values.max())
    bins = HISTOGRAM_BINS if high > low else 1
    counts, edges = np.histogram(
        values, bins=bins, range=(low, high) if high > low else (low - 0.5, low + 0.5)
    )
    return Histogram(
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
    )


def action_dispersion(actions: NDArray[np.float32]) -> Dispersion:
    """Tells how far actions (N, d') differ, from their first two moments."""
    n, width = actions.shape
    total, unit_total = np.zeros(width), np.zeros(width)
    second = np.zeros((width, width))
    norms, distinct = 0.0, False
    origin = np.asarray(actions[0], dtype=np.float64)
    for start in range(0, n, ACTION_ROWS):
        rows = np.asarray(actions[start : start + ACTION_ROWS], dtype=np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        shifted = rows - origin  # so that equal actions have a covariance of exactly 0
        distinct = distinct or bool(shifted.any())
        total += shifted.sum(axis=0)
        second += shifted.T @ shifted
        norms += float(lengths.sum())
        units = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
        unit_total += units.sum(axis=0)
    squared = float(unit_total @ unit_total)
    spectrum = np.clip(np.linalg.eigvalsh(second / n - np.outer(total, total) / n**2), 0.0, None)
    shares = spectrum / spectrum.sum() if spectrum.sum() > 0 else np.zeros(0)
    shares = shares[shares > 0]
    return Dispersion(
        resultant=squared**0.5 / n,
        cosine=(squared - n) / (n * (n - 1)) if n > 1 else None,
        effective_rank=float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0,
        dimensions=width,
        mean_norm=norms / n,
        distinct=distinct,
    )


def _learning_warnings(
    meta: DatasetMeta, data: Transitions, scores: NDArray[np.float64], dispersion: Dispersion | None
) -> list[str]:
    warnings = []
    if dispersion is not None and not dispersion.distinct:
        warnings.append(
            f"all {counted(len(data), 'act has', 'acts have')} the same action, so nothing can be"
            " learned about others; collect with exploration"
        )
    if len(meta.families) == 1:
        warnings.append(
            f"one family only, '{meta.families[0]}': nothing can be held out, and what is learned"
            " may hold nowhere else"
        )
    singletons = sum(count == 1 for count in Counter(data.episode_families.tolist()).values())
    if meta.query.reward.centre and singletons and not meta.query.states_only:
        warnings.append(
            f"{counted(singletons, 'family has', 'families have')} one scored seat each: centred by"
            " family, its reward is 0"
        )
    if not meta.query.states_only and not np.ptp(scores):
        warnings.append("all scores are equal: there is nothing to prefer")
    if meta.d_action and meta.query.reward.by_act and not meta.query.states_only:
        pays = when_actions_pay(data)
        if pays is not None and pays.only_later:
            warnings.append(pays.warning(None))
    return warnings
