"""The up-mapping W: from an action of d' numbers to L prefix embeddings of a frozen language model.

`UpMap` is the same however W was made. Here W is made from principal directions of the model's
token embeddings (DAT, appendix A); self-cloned and latent ones are learned, in `simworld.training`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

PCAMode = Literal["repeated", "groups"]
_COVARIANCE_CHUNK = 8192  # rows of a vocabulary turned to float64 at once


class UpMap(nn.Module):
    """Turns actions into prefixes: `act_norm · embedding_norm · (a W) / √d'`, as L vectors of
    d_model (docs/design/dat.md).

    Actions have length √d', so with orthonormal rows in W a prefix vector has the length act_norm ·
    embedding_norm.
    """

    def __init__(
        self, weight: Tensor, *, tokens: int, act_norm: float, embedding_norm: float
    ) -> None:
        """Takes W as (d', L · d_model) float32; raises ValueError where the shapes do not fit."""
        super().__init__()
        if weight.ndim != 2 or tokens < 1 or weight.shape[1] % tokens:
            raise ValueError(
                f"an up-mapping to {tokens} tokens cannot have the shape {tuple(weight.shape)}"
            )
        self.weight = nn.Parameter(weight)
        self.tokens, self.act_norm, self.embedding_norm = tokens, act_norm, embedding_norm

    @property
    def d_action(self) -> int:
        """d', the size of an action."""
        return self.weight.shape[0]

    @property
    def d_model(self) -> int:
        """The language model's width."""
        return self.weight.shape[1] // self.tokens

    def forward(self, action: Tensor) -> Tensor:
        """(B, L, d_model) float32 from actions (B, d') float32."""
        scale = self.act_norm * self.embedding_norm / self.d_action**0.5
        prefix: Tensor = (action @ self.weight * scale).unflatten(-1, (self.tokens, self.d_model))
        return prefix


def pca_upmap(
    embeddings: Tensor, *, d_action: int, tokens: int, act_norm: float, mode: PCAMode
) -> UpMap:
    """An up-mapping along the principal directions of a model's token embeddings.

    `repeated` is the released code's: one vector in the span of the first d' directions, L times,
    each of the length act_norm · embedding_norm. `groups` gives L vectors that differ: the
    coordinates fall into L groups of d'/L, each a vector in the span of the first d'/L directions;
    W is scaled by √L, so that the squared lengths are right on average over the groups.

    We deviate from the paper and its code in that the norm is relative to the model's own
    embeddings (there act_norm is the absolute length, 0.6 or 1.0), in `groups`, and in that signs
    and order of the directions are fixed.

    Args:
        embeddings: (V, d_model), one row for each token, after the model's own scaling.
        d_action: d'; for `groups` a multiple of L.
        tokens: L.
        act_norm: length of a prefix vector, as a multiple of the embeddings' mean length.
        mode: see above.

    Raises:
        ValueError: d' is no multiple of L, or there are not as many directions.
    """
    if mode == "groups" and d_action % tokens:
        raise ValueError(
            f"an action of {d_action} numbers cannot be split into {tokens} equal groups, one for"
            " each token"
        )
    count = d_action if mode == "repeated" else d_action // tokens
    directions = principal_directions(embeddings, count)
    if mode == "repeated":
        weight = directions.repeat(1, tokens)
    else:
        weight = torch.kron(torch.eye(tokens, dtype=directions.dtype), directions * tokens**0.5)
    norm = float(embeddings.norm(dim=1).mean(dtype=torch.float64))
    return UpMap(weight.float(), tokens=tokens, act_norm=act_norm, embedding_norm=norm)


def principal_directions(vectors: Tensor, count: int) -> Tensor:
    """The first `count` principal directions of centred vectors (V, d), as orthonormal rows (count,
    d) float64.

    Exact: eigenvectors of the d × d covariance in float64, each with its largest coordinate
    positive. Raises ValueError where d, or the number of vectors less one, is below `count`.
    """
    most = min(vectors.shape[1], vectors.shape[0] - 1)
    if not 1 <= count <= most:
        raise ValueError(
            f"{vectors.shape[0]} embeddings of {vectors.shape[1]} numbers have {most} directions,"
            f" not {count}"
        )
    mean = vectors.mean(0, dtype=torch.float64)
    covariance = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64)
    for low in range(0, len(vectors), _COVARIANCE_CHUNK):
        centred = vectors[low : low + _COVARIANCE_CHUNK].double() - mean
        covariance += centred.T @ centred
    _, directions = torch.linalg.eigh(covariance)  # columns, by rising variance
    rows: Tensor = directions.flip(1).T[:count]
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return rows * largest.sign()
