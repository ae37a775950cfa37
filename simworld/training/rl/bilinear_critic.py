"""A critic for little data: Q(s, a) = c + u·φ(s) + (w + Mφ(s))·α, with α = (a − ā) / √d'.

What is best depends on the state through M alone, and the actor climbs the last part alone, its
advantage over the mean action ā: u·φ says how good a state is, and would swamp λ.
"""

from __future__ import annotations

from torch import Tensor, nn

from simworld.training.rl.bilinear_fit import prepend_ones, state_features
from simworld.training.rl.networks import Critic


class BilinearCritic(Critic):
    """Two bilinear values with weights of their own."""

    mean_action: Tensor
    penalties: Tensor

    def __init__(self, weights: Tensor, mean_action: Tensor, penalties: Tensor) -> None:
        """Begins at given weights.

        Args:
            weights: (2, 1 + d', 1 + d_s), c and u in the first row, w and M in the others.
            mean_action: ā (d',).
            penalties: of each squared weight, (1 + d', 1 + d_s), per act of the data.
        """
        super().__init__()
        self.weights = nn.Parameter(weights.clone())
        self.register_buffer("mean_action", mean_action.clone())
        self.register_buffer("penalties", penalties.clone())

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """Gives both values, (2, B) float32."""
        return self._values(self.weights, state, action)

    def q1(self, state: Tensor, action: Tensor) -> Tensor:
        return self._values(self.weights.detach()[:1], state, action)[0]

    def actor_value(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Gives the advantage (w + Mφ)·α of Q₁, (B,), and mean |(w + Mφ)·α|."""
        slopes = self.weights.detach()[0, 1:]
        value = ((self._shifted(action) @ slopes) * prepend_ones(state_features(state))).sum(-1)
        return value, value.detach().abs().mean()

    def penalty(self) -> Tensor:
        """Gives the penalties of both values, a scalar."""
        total: Tensor = (self.weights.square() * self.penalties).sum()
        return total

    def _values(self, weights: Tensor, state: Tensor, action: Tensor) -> Tensor:
        rows = prepend_ones(self._shifted(action)) @ weights
        values: Tensor = (rows * prepend_ones(state_features(state))).sum(-1)
        return values

    def _shifted(self, action: Tensor) -> Tensor:
        shifted: Tensor = (action - self.mean_action) / action.shape[-1] ** 0.5
        return shifted
