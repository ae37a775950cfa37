"""The policy part of IQL and AWAC: regression of the actor to the data's actions, in which an
action counts for more the better it is.

Source: advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177), max E[exp(β A) log
π(a|s)]. Deviation: our actor is deterministic, so log π(a|s) becomes −mean((π(s) − a)²), the log
density of a normal distribution around π(s) of variance d'/2 but for a constant. On the sphere its
minimum is the weighted mean of the actions, put back on the sphere.
"""

from __future__ import annotations

from torch import Tensor

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch

MAX_WEIGHT = 100.0  # as in the code of IQL's authors


def advantage_weights(advantages: Tensor, beta: float) -> Tensor:
    """Gives exp(β A), at most 100, (B,), of advantages (B,)."""
    return (beta * advantages).exp().clamp_max(MAX_WEIGHT)


def weighted_actor_loss(
    actor: Actor, batch: TransitionBatch, weights: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Gives the scalar mean(w · mean((π(s) − a)²)) with weights w (B,), and its parts, to log."""
    distances = (actor(batch.states) - batch.actions).square().mean(-1)
    loss = (weights * distances).mean()
    metrics = {"actor_loss": loss, "bc_distance": distances.mean(), "mean_weight": weights.mean()}
    return loss, {name: value.detach() for name, value in metrics.items()}
