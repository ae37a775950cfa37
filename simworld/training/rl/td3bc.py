"""TD3+BC: offline TD3 whose actor is held to the data's actions (docs/design/dat.md). The maths
only; the training loop drives it.

Sources: TD3+BC (Fujimoto & Gu 2021, arXiv 2106.06860, eq. 3–5) on TD3 (arXiv 1802.09477, algorithm
1), with ReBRAC's critic LayerNorm and critic penalty as options (arXiv 2305.09836). Deviations: on
the `sphere` a smoothed action is put back on it instead of clipped; penalties are means over
coordinates, so that they do not grow with d' (ReBRAC's are sums); ReBRAC's weight of the actor's
penalty, β₁, is 1 / (α d') here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from agents.steering.planner import Actor, Projection, project_action
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.critic_settings import CriticSettings, new_critic
from simworld.training.rl.learner import fused_adam
from simworld.training.rl.networks import Critic, soft_update
from simworld.training.trainer import gradient_step
from simworld.training.training_state import StateParts, collect_tensors, load_tensors


class TD3BCSettings(CriticSettings):
    """Settings of TD3+BC. Noise is in units of the action's coordinates, whose root mean square is
    1 on the sphere.
    """

    # weight of the values against the BC term; for BC alone there is the learner `bc`
    alpha: float = Field(2.5, gt=0)
    policy_noise: float = Field(0.2, ge=0, alias="noise")
    noise_clip: float = Field(0.5, ge=0)
    # the actor and the target networks move every so many updates
    policy_delay: int = Field(2, ge=1, alias="delay")
    critic_penalty: float = Field(0.0, ge=0)  # ReBRAC's β₂


def smooth_target_action(
    action: Tensor, noise: Tensor, *, clip: float, projection: Projection
) -> Tensor:
    """Smooths the target policy: gives the action with clipped noise (…, d'), projected."""
    return project_action(action + noise.clamp(-clip, clip), projection)


def td_target(
    batch: TransitionBatch,
    next_action: Tensor,
    next_values: Tensor,
    *,
    gamma: float,
    penalty: float = 0.0,
) -> Tensor:
    """Gives what the critics are fitted to, (B,): y = r + γ (1 − terminal) (min(Q̄₁, Q̄₂) − β₂ ·
    mean((a' − a'_data)²)).

    Args:
        batch: with `next_action` where there is a penalty; where no action follows, the penalty is
            0.
        next_action: a' (B, d'), smoothed.
        next_values: Q̄ (2, B) of the target critics at the next state and a'.
        gamma: discount in [0, 1].
        penalty: β₂.

    Raises:
        ValueError: for a penalty on a batch without next actions.
    """
    next_value = next_values.amin(0)
    if penalty:
        if batch.next_actions is None or batch.has_next is None:
            raise ValueError(
                "the critic's penalty needs the next actions; sample `Transitions.with_next_rows()`"
            )
        distance = (next_action - batch.next_actions).square().mean(-1)
        next_value = next_value - penalty * batch.has_next * distance
    return batch.rewards + gamma * (1 - batch.terminals) * next_value


def critic_loss(critic: Critic, batch: TransitionBatch, targets: Tensor) -> Tensor:
    """Gives the scalar mean((Q₁(s, a) − y)²) + mean((Q₂(s, a) − y)²) with targets y (B,)."""
    # the mean is over both critics
    return 2 * F.mse_loss(critic(batch.states, batch.actions), targets.expand(2, -1))


def actor_loss(
    actor: Actor, critic: Critic, batch: TransitionBatch, *, alpha: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Gives the scalar −λ · mean Q₁(s, π(s)) + mean((π(s) − a)²) and its parts, to log; λ is
    α / mean|Q₁(s, π(s))|, detached. With a bilinear critic Q₁ is its advantage in both places.
    """
    action = actor(batch.states)
    q_values, mean_abs_q = critic.actor_value(batch.states, action)
    q_weight = alpha / mean_abs_q.clamp_min(torch.finfo(mean_abs_q.dtype).tiny)
    distance = F.mse_loss(action, batch.actions)
    loss = distance - q_weight * q_values.mean()
    metrics = {"actor_loss": loss, "bc_distance": distance}
    metrics |= {"mean_abs_q": mean_abs_q, "lambda": q_weight}
    return loss, {name: value.detach() for name, value in metrics.items()}


class TD3BC:
    """The learner: an actor, twin critics, the target networks of both, and the random numbers of
    the smoothing.
    """

    def __init__(
        self, actor: Actor, settings: TD3BCSettings, *, seed: int, critic: Critic | None = None
    ) -> None:
        """Takes the actor as it is (a clone's, say) and trains it in place; the critics too, where
        they are given, else they start from the seed.
        """
        self.actor, self._settings = actor, settings
        self._generator = torch.Generator().manual_seed(seed)
        self.critic: Critic = critic or new_critic(actor, settings, self._generator)
        self.target_actor, self.target_critic = copy.deepcopy(actor), copy.deepcopy(self.critic)
        self._adam_actor = fused_adam(list(actor.parameters()), settings.actor_lr)
        self._adam_critic = fused_adam(list(self.critic.parameters()), settings.critic_lr)
        self._online_parameters = [*actor.parameters(), *self.critic.parameters()]
        targets = (self.target_actor, self.target_critic)
        self._target_parameters = [p for target in targets for p in target.parameters()]
        self._parts: StateParts = {
            "actor": actor,
            "critic": self.critic,
            "target_actor": self.target_actor,
            "target_critic": self.target_critic,
            "adam_actor": self._adam_actor,
            "adam_critic": self._adam_critic,
        }
        self._updates = 0

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """Takes one step of the critics and, every `policy_delay` updates, one of the actor and the
        target networks.
        """
        noise = torch.randn(batch.actions.shape, generator=self._generator)
        targets = self.td_target(batch, noise * self._settings.policy_noise)
        loss = critic_loss(self.critic, batch, targets)
        metrics = {"critic_loss": loss.detach()}
        if (penalty := self.critic.penalty()) is not None:
            loss = loss + penalty
        gradient_step(self._adam_critic, [loss])
        self._updates += 1
        if self._updates % self._settings.policy_delay == 0:
            loss, parts = actor_loss(self.actor, self.critic, batch, alpha=self._settings.alpha)
            gradient_step(self._adam_actor, [loss])
            soft_update(self._target_parameters, self._online_parameters, self._settings.tau)
            metrics |= parts
        return metrics

    @torch.no_grad()
    def td_target(self, batch: TransitionBatch, noise: Tensor) -> Tensor:
        """Gives what the critics are fitted to, (B,), with given noise (B, d') before clipping."""
        next_action = smooth_target_action(
            self.target_actor(batch.next_states),
            noise,
            clip=self._settings.noise_clip,
            projection=self.actor.projection,
        )
        values = self.target_critic(batch.next_states, next_action)
        settings = self._settings
        return td_target(
            batch, next_action, values, gamma=settings.gamma, penalty=settings.critic_penalty
        )

    def state_dict(self) -> dict[str, Tensor]:
        return {
            **collect_tensors(self._parts),
            "generator": self._generator.get_state(),
            "updates": torch.tensor(self._updates),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        load_tensors(self._parts, state)
        self._generator.set_state(state["generator"])
        self._updates = int(state["updates"])
