"""The latent up-mapping: directions of the action space are ways of replying.

An action should carry what distinguishes one reply from another: W is to raise log p(u | W f(u)) of replies u that the
unsteered model wrote, where f encodes what u means, for as little KL to the unsteered model as possible (DESIGN §4). For a
linear f and to second order in the prefix this has a maximum in closed form. With s(u) = ∇ log p(u | prefix) at a prefix that
changes nothing, m(u) a reply's meaning (its sentence embedding, less the mean of its family), F = E[s sᵀ] the Fisher
information and C = E[m sᵀ],

    E[log p(u | e + W f(u))] ≈ E[log p(u | e)] + E[s · W f] − ½ E[|F^½ W f|²],

and the best K directions are the leading right singular vectors of C F^(−½), mapped back by F^(−½): those along which the mean
meaning moves furthest for the nats they cost. Prefixes have more numbers than there are replies, so F gets a ridge; and how
many nats a direction really costs is measured on replies that it was not made from.

The first number of an action is the neutral prefix's share: (√d', 0, …, 0) changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.steering.upmap import UpMap
from simworld.core.errors import InputError
from simworld.training.slopes import slope
from simworld.training.teacher import Lesson, Teacher

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.floating]]  # n texts → (n, d)
Tell = Callable[[int, int], None]

MEANINGS = 64  # principal coordinates of the embeddings that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSettings:
    """How to learn."""

    size: int = 32  # K; actions have one number more
    nats: float = 0.2  # that a reply's distribution moves, on the mean, at one unit along a direction
    ridge: float = 10.0  # added to F, in units of its mean diagonal

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentMap:
    """The up-mapping, its neutral action, and what its directions carry on replies of families that it was not made from."""

    upmap: UpMap
    neutral: Tensor  # (K + 1,) float32
    carried: float  # mean over directions of the correlation between a reply's slope along it and its meaning


def learn_latent(
    teacher: Teacher,
    train: Sequence[Lesson],
    dev: Sequence[Lesson],
    upmap: UpMap,
    neutral: Tensor,
    settings: LatentSettings,
    *,
    embed: Embed,
    on_progress: Tell = lambda done, total: None,
) -> LatentMap:
    """A latent up-mapping around a prefix that changes nothing.

    Args:
        teacher: gave the lessons.
        train: replies to learn from.
        dev: of other families: how long the rows are is taken from them, and what they carry.
        upmap: of the clone.
        neutral: the clone's action (d',), the same for all states.
        settings: see there.
        embed: sentence embeddings.
        on_progress: told after each reply.

    Raises:
        InputError: fewer than two families to learn from, or replies drawn at temperature 0.
    """
    with torch.no_grad():
        centre = upmap(neutral[None])[0]
    total = len(train) + len(dev)

    def slopes(lessons: Sequence[Lesson], before: int) -> Floats:
        rows = []
        for lesson in lessons:
            rows.append(slope(teacher, lesson, lambda e: e.view(-1, *centre.shape), centre.flatten()).numpy())
            on_progress(before + len(rows), total)
        return np.stack(rows).astype(np.float64)

    s, s_dev = slopes(train, 0), slopes(dev, len(train))
    families = [lesson.sample.family for lesson in train]
    if len(set(families)) < 2:
        raise InputError("all replies to learn from are of one family; directions would carry what it is about alone")
    m = _centred(np.asarray(embed([lesson.sample.reply for lesson in train]), dtype=np.float64), families)
    _, _, axes = np.linalg.svd(m, full_matrices=False)
    axes = axes[:MEANINGS]
    spread = np.maximum((m @ axes.T).std(0), 1e-12) ** 0.5  # between the embeddings as they are and whitened ones
    directions, meanings = _directions(s, (m @ axes.T) / spread, settings)
    m_dev = np.asarray(embed([lesson.sample.reply for lesson in dev]), dtype=np.float64)
    moved, meant = (
        s_dev @ directions,
        (_centred(m_dev, [lesson.sample.family for lesson in dev]) @ axes.T / spread) @ meanings,
    )
    cost = np.maximum(np.square(moved).mean(0) / 2, 1e-12)  # nats at one unit, along each
    rows = directions * np.sqrt(settings.nats / cost)
    size = directions.shape[1] + 1
    scale = upmap.act_norm * upmap.embedding_norm
    weight = torch.cat([centre.flatten()[None].double(), torch.from_numpy(rows.T) * size**0.5]) / scale
    made = UpMap(weight.float(), tokens=upmap.tokens, act_norm=upmap.act_norm, embedding_norm=upmap.embedding_norm)
    first = torch.zeros(size)
    first[0] = size**0.5
    return LatentMap(upmap=made.requires_grad_(False), neutral=first, carried=_correlation(moved, meant))


def _directions(s: Floats, m: Floats, settings: LatentSettings) -> tuple[Floats, Floats]:
    """K directions of prefixes (D, K), each costing half a nat at one unit by F and its ridge, and what each means, (M, K)."""
    n, width = s.shape
    u, values, v = np.linalg.svd(s / n**0.5, full_matrices=False)  # F = vᵀ values² v
    whiten = 1 / np.sqrt(values**2 + settings.ridge * np.square(values).sum() / width)
    left, _, right = np.linalg.svd((m.T @ u) / n**0.5 * values * whiten, full_matrices=False)  # C F^(−½)
    kept = min(settings.size, len(right))
    return (v.T * whiten) @ right[:kept].T, left[:, :kept]


def _centred(rows: Floats, families: Sequence[str]) -> Floats:
    """Rows less the mean of their family."""
    _, of = np.unique(np.array(families), return_inverse=True)
    sums = np.zeros((of.max() + 1, rows.shape[1]))
    np.add.at(sums, of, rows)
    centred: Floats = rows - (sums / np.bincount(of)[:, None])[of]
    return centred


def _correlation(first: Floats, second: Floats) -> float:
    """The mean over columns of Pearson's correlation; columns that do not vary count 0."""
    a, b = first - first.mean(0), second - second.mean(0)
    size = np.sqrt(np.square(a).sum(0) * np.square(b).sum(0))
    return float(np.divide((a * b).sum(0), size, out=np.zeros(a.shape[1]), where=size > 0).mean())
