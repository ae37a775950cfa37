"""What replies mean, as codes: the small encoder of the latent up-mapping, and the words that a
code makes likely.

A code is a reply's sentence embedding less the mean of its family (what the scenario is about is no
way of replying), in principal coordinates, each over the square root of its deviation, put on the
sphere of radius √K.
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
    """The encoder: from sentence embeddings to codes."""

    axes: Floats  # (K, d), orthonormal
    spread: Floats  # (K,), what each coordinate is divided by

    def codes(self, embeddings: Floats, families: Sequence[str]) -> Tensor:
        """(n, K) float32 of length √K, from embeddings (n, d); 0 for a reply that is all its family
        has.
        """
        rows = centred(embeddings, families) @ self.axes.T / self.spread
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        put = np.divide(
            rows * len(self.axes) ** 0.5, length, out=np.zeros_like(rows), where=length > 1e-9
        )
        return torch.from_numpy(put).float()


def fit_reply_codes(embeddings: Floats, families: Sequence[str], size: int) -> ReplyCodes:
    """The encoder with `size` coordinates, or as many as there are, that suits replies with these
    embeddings (n, d).
    """
    rows = centred(embeddings, families)
    _, values, axes = np.linalg.svd(rows, full_matrices=False)
    kept = max(1, min(size, int((values > 1e-9 * values[:1]).sum())))
    # Between the embeddings as they are and whitened ones.
    spread = np.maximum((rows @ axes[:kept].T).std(0), 1e-12) ** 0.5
    return ReplyCodes(axes=axes[:kept], spread=spread)


def ways_of_replying(codes: Tensor, count: int, seed: int) -> Tensor:
    """The middles of groups of replies, (n, K) of length √K, n at most `count`: k-means on their
    codes (N, K).
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
    """How a reply's mean token embedding changes with its code, (K, width) float32, scaled to a
    root mean square length of 1.

    Ridge regression on the codes, within families. A token counts by the square of its surprise
    −log f, f its frequency in these replies, for what distinguishes replies are their rare words.

    Args:
        codes: (n, K).
        replies: the tokens of each, int64.
        families: of each.
        embeddings: (V, width), of the language model.
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
    """Rows less the mean of their family."""
    _, of = np.unique(np.array(families), return_inverse=True)
    sums = np.zeros((of.max() + 1, rows.shape[1]))
    np.add.at(sums, of, rows)
    found: Floats = rows - (sums / np.bincount(of)[:, None])[of]
    return found
