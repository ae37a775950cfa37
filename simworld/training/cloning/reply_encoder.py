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

_RIDGE = 10.0  # replies' worth of knowing nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplyCodes:
    """The fitted encoder."""

    axes: Floats  # (K, d), orthonormal
    spread: Floats  # (K,), what each coordinate is divided by

    def codes(self, embeddings: Floats, families: Sequence[str]) -> Tensor:
        """Gives codes (n, K) float32 of length √K, of embeddings (n, d); 0 for the only reply of a
        family.
        """
        rows = centred(embeddings, families) @ self.axes.T / self.spread
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        put = np.divide(
            rows * len(self.axes) ** 0.5, length, out=np.zeros_like(rows), where=length > 1e-9
        )
        return torch.from_numpy(put).float()


def fit_reply_codes(embeddings: Floats, families: Sequence[str], size: int) -> ReplyCodes:
    """Fits the encoder to embeddings (n, d), with `size` coordinates, or as many as there are."""
    rows = centred(embeddings, families)
    _, values, axes = np.linalg.svd(rows, full_matrices=False)
    kept = max(1, min(size, int((values > 1e-9 * values[:1]).sum())))
    # Between the embeddings as they are and whitened ones.
    spread = np.maximum((rows @ axes[:kept].T).std(0), 1e-12) ** 0.5
    return ReplyCodes(axes=axes[:kept], spread=spread)


def ways_of_replying(codes: Tensor, count: int, seed: int) -> Tensor:
    """Gives the middles of groups of replies, (n, K) of length √K, n at most `count`: k-means on
    their codes (N, K).
    """
    from sklearn.cluster import KMeans

    rows = codes.double().numpy()
    count = min(count, len(np.unique(rows, axis=0)))
    middles = torch.from_numpy(
        KMeans(count, n_init=10, random_state=seed).fit(rows).cluster_centers_
    ).float()
    found: Tensor = (
        middles * codes.shape[1] ** 0.5 / middles.norm(dim=1, keepdim=True).clamp_min(1e-9)
    )
    return found


def words_by_code(
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
    means = []
    for ids in replies:
        own = weights[ids] / weights[ids].sum().clamp(min=1e-9)
        means.append((embeddings[ids].double() * own[:, None]).sum(0).numpy())
    words = centred(np.stack(means), families)
    known = codes.double().numpy()
    rows = np.linalg.solve(known.T @ known + _RIDGE * np.eye(known.shape[1]), known.T @ words)
    length = float(np.linalg.norm(rows)) / len(rows) ** 0.5
    return torch.from_numpy(rows / max(length, 1e-12)).float()


def centred(rows: Floats, families: Sequence[str]) -> Floats:
    """Takes off each row the mean of its family."""
    _, of = np.unique(np.array(families), return_inverse=True)
    sums = np.zeros((of.max() + 1, rows.shape[1]))
    np.add.at(sums, of, rows)
    found: Floats = rows - (sums / np.bincount(of)[:, None])[of]
    return found
