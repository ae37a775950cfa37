"""The up-mapping W: from an action of d' numbers to L prefix embeddings of a frozen language model."""

from __future__ import annotations

from torch import Tensor, nn


class UpMap(nn.Module):
    """Turns actions into prefixes: `act_norm · embedding_norm · (a W) / √d'`, as L vectors of d_model (DESIGN §4).

    Actions have length √d', so with orthonormal rows in W a prefix vector has the length act_norm · embedding_norm.
    """

    def __init__(self, weight: Tensor, *, tokens: int, act_norm: float, embedding_norm: float) -> None:
        """Takes W as (d', L · d_model) float32; raises ValueError where the shapes do not fit."""
        super().__init__()
        if weight.ndim != 2 or tokens < 1 or weight.shape[1] % tokens:
            raise ValueError(f"an up-mapping to {tokens} tokens cannot have the shape {tuple(weight.shape)}")
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
