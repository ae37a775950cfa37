"""The small encoder of the latent up-mapping turns replies into codes, and tells which words a code
makes likely.

A code comes from a reply's sentence embedding. The mean of its family is taken off, since what the
scenario is about is no way of replying. What is left is put in principal coordinates, each over the
square root of its deviation, and on the sphere of radius √K. A code may hold measures of the reply
beside them (whether it asks, say), for which a sentence embedding has no direction.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simworld.core.arrays import Floats
from simworld.core.errors import InputError

_RIDGE_PENALTY = 10.0  # as so many replies that say nothing
# deviation of a measure in a code, in those of its other numbers: a measure is wanted, they are not
_MEASURE_WEIGHT = 2.0
MAX_MEASURES = 3  # the ways along n of them are 3ⁿ − 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplyEncoder:
    """The fitted encoder."""

    axes: Floats  # (K, d), orthonormal
    scale: Floats  # (K,), what each coordinate is divided by

    def encode(self, embeddings: Floats, families: Sequence[str]) -> Tensor:
        """Gives codes (n, K) float32 of length √K, of embeddings (n, d); 0 for the only reply of a
        family.
        """
        coordinates = centre_by_family(embeddings, families) @ self.axes.T / self.scale
        length = np.linalg.norm(coordinates, axis=1, keepdims=True)
        codes, radius = np.zeros_like(coordinates), len(self.axes) ** 0.5
        np.divide(coordinates * radius, length, out=codes, where=length > 1e-9)
        return torch.from_numpy(codes).float()


def size_problem(size: int, replies: int) -> str | None:
    """Says in one line why so many replies cannot have so many directions, whatever they are; two
    families are the fewest, and each takes its mean off. None where they can.
    """
    if size <= replies - 2:
        return None
    return (
        f"latent size {size} is above the rank of the embeddings of {replies} replies, which is"
        f" {max(0, replies - 2)} at most; set a smaller size, or more replies"
    )


def fit_reply_encoder(embeddings: Floats, families: Sequence[str], size: int) -> ReplyEncoder:
    """Fits the encoder to embeddings (n, d), with `size` coordinates, or as many as there are; none
    where `size` is 0.
    """
    if not size:
        return ReplyEncoder(axes=np.zeros((0, embeddings.shape[1])), scale=np.zeros(0))
    centred_embeddings = centre_by_family(embeddings, families)
    _, singular_values, axes = np.linalg.svd(centred_embeddings, full_matrices=False)
    rank = max(1, min(size, int((singular_values > 1e-9 * singular_values[:1]).sum())))
    # Between the embeddings as they are and whitened ones.
    scale = np.maximum((centred_embeddings @ axes[:rank].T).std(0), 1e-12) ** 0.5
    return ReplyEncoder(axes=axes[:rank], scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasureScale:
    """What measures of replies are put into codes by."""

    deviation: Floats  # (R,), within families

    def codes(self, values: Floats, families: Sequence[str]) -> Tensor:
        """Gives deviations from the family's mean (n, R) float32, of measured values (n, R)."""
        return torch.from_numpy(centre_by_family(values, families) / self.deviation).float()


def fit_measure_scale(values: Floats, families: Sequence[str]) -> MeasureScale:
    """Fits the scale to measured values (n, R). Raises InputError for a measure that is the same in
    all replies of a family, in all families.
    """
    deviation: Floats = centre_by_family(values, families).std(0)
    if flat := [number for number, each in enumerate(deviation, start=1) if not each > 0]:
        raise InputError(
            f"measure {flat[0]} never differs between replies of one family ({len(values)} replies"
            " in all), so none shows its direction; take another measure, or more replies"
        )
    return MeasureScale(deviation=deviation)


def add_measures(codes: Tensor, measured: Tensor) -> Tensor:
    """Gives codes (n, K + R) of length √(K + R): codes (n, K) beside deviations of measures (n, R),
    which count for twice as much.
    """
    joined = torch.cat([codes, _MEASURE_WEIGHT * measured], dim=1)
    size, length = joined.shape[1] ** 0.5, joined.norm(dim=1, keepdim=True)
    on_sphere: Tensor = joined * (size / length.clamp_min(1e-9))
    return on_sphere


def codes_along_measures(codes: Tensor, measured: Tensor) -> Tensor:
    """Gives the codes to expect of replies that measure more than usual, less, or neither, in all
    combinations but neither of all: (3^R − 1, K) of length √K.

    By regression of the codes (n, K) on the deviations of measures (n, R): what goes with one
    measure alone is told from what goes with the others.
    """
    x, y = measured.double().numpy(), codes.double().numpy()
    slopes = np.linalg.lstsq(x, y, rcond=None)[0]
    combinations = [
        signs for signs in itertools.product((1, 0, -1), repeat=x.shape[1]) if any(signs)
    ]
    expected = torch.from_numpy(np.array(combinations) @ slopes).float()
    on_sphere: Tensor = (
        expected * codes.shape[1] ** 0.5 / expected.norm(dim=1, keepdim=True).clamp_min(1e-9)
    )
    return on_sphere


def cluster_codes(codes: Tensor, count: int, seed: int) -> Tensor:
    """Gives the middles of groups of replies, (n, K) of length √K, n at most `count`: k-means on
    their codes (N, K).
    """
    from sklearn.cluster import KMeans

    points = codes.double().numpy()
    count = min(count, len(np.unique(points, axis=0)))
    centres = torch.from_numpy(
        KMeans(count, n_init=10, random_state=seed).fit(points).cluster_centers_
    ).float()
    on_sphere: Tensor = (
        centres * codes.shape[1] ** 0.5 / centres.norm(dim=1, keepdim=True).clamp_min(1e-9)
    )
    return on_sphere


def fit_code_directions(
    codes: Tensor, replies: Sequence[Tensor], families: Sequence[str], embeddings: Tensor
) -> Tensor:
    """Gives how a reply's mean token embedding changes with its code, (K, width) float32, scaled to
    a root mean square length of 1.

    By ridge regression on the codes, within families. A token counts by the square of its surprise
    −log f, f its frequency in these replies, for rare words distinguish replies.

    Args:
        codes: of the replies, (n, K).
        replies: the tokens of each, int64.
        families: of each.
        embeddings: of the language model's tokens, (V, width).
    """
    counts = torch.bincount(torch.cat(list(replies)), minlength=len(embeddings)).double()
    weights = torch.log(counts.sum() / counts.clamp(min=1)).square()
    reply_means = []
    for ids in replies:
        token_weights = weights[ids] / weights[ids].sum().clamp(min=1e-9)
        reply_means.append((embeddings[ids].double() * token_weights[:, None]).sum(0).numpy())
    mean_embeddings = centre_by_family(np.stack(reply_means), families)
    x = codes.double().numpy()
    penalty = _RIDGE_PENALTY * np.eye(x.shape[1])
    directions = np.linalg.solve(x.T @ x + penalty, x.T @ mean_embeddings)
    norm = float(np.linalg.norm(directions)) / len(directions) ** 0.5
    return torch.from_numpy(directions / max(norm, 1e-12)).float()


def centre_by_family(rows: Floats, families: Sequence[str]) -> Floats:
    """Takes off each row the mean of its family."""
    _, family_rows = np.unique(np.array(families), return_inverse=True)
    sums = np.zeros((family_rows.max() + 1, rows.shape[1]))
    np.add.at(sums, family_rows, rows)
    differences: Floats = rows - (sums / np.bincount(family_rows)[:, None])[family_rows]
    return differences
