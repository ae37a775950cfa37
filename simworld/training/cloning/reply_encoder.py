"""The small encoder of the latent up-mapping turns replies into codes, and tells which words a code
makes likely.

A code comes from a reply's sentence embedding. The mean of its family is taken off, since what the
scenario is about is no way of replying. What is left is put in principal coordinates, each over the
square root of its deviation, and on the sphere of radius √K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simworld.core.arrays import Floats

_RIDGE_PENALTY = 10.0  # as so many replies that say nothing


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
    """Fits the encoder to embeddings (n, d), with `size` coordinates, or as many as there are."""
    centred_embeddings = centre_by_family(embeddings, families)
    _, singular_values, axes = np.linalg.svd(centred_embeddings, full_matrices=False)
    rank = max(1, min(size, int((singular_values > 1e-9 * singular_values[:1]).sum())))
    # Between the embeddings as they are and whitened ones.
    scale = np.maximum((centred_embeddings @ axes[:rank].T).std(0), 1e-12) ** 0.5
    return ReplyEncoder(axes=axes[:rank], scale=scale)


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
