"""TD3+BC: offline TD3 whose actor is held to the data's actions (docs/design/dat.md). The maths
only; `loop` drives it.

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
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F

from agents.steering.planner import Actor, Projection, project
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.learner import adam, load_optimiser, optimiser_state, prefixed, under
from simworld.training.rl.networks import TwinCritic, follow


class Td3bcSettings(BaseModel):
    """How TD3+BC learns. Noise is in units of the action's coordinates, whose root mean square is 1
    on the sphere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # weight of the values against the BC term; for BC alone there is the learner `bc`
    alpha: float = Field(2.5, gt=0)
    gamma: float = Field(0.99, ge=0, le=1)
    tau: float = Field(0.005, gt=0, le=1)
    noise: float = Field(0.2, ge=0)
    noise_clip: float = Field(0.5, ge=0)
    delay: int = Field(2, ge=1)  # the actor and the slow copies move every so many updates
    # slower than the critics: it averages over the noise in their values
    actor_rate: float = Field(1e-4, gt=0)
    critic_rate: float = Field(3e-4, gt=0)
    critic_hidden: tuple[int, ...] = (256, 256)
    layer_norm: bool = False
    critic_penalty: float = Field(0.0, ge=0)  # ReBRAC's β₂


def smoothed(action: Tensor, noise: Tensor, *, clip: float, projection: Projection) -> Tensor:
    """Target policy smoothing: the action with clipped noise (…, d'), projected."""
    return project(action + noise.clamp(-clip, clip), projection)


def target(
    batch: TransitionBatch,
    next_action: Tensor,
    next_values: Tensor,
    *,
    gamma: float,
    penalty: float = 0.0,
) -> Tensor:
    """The critics' goal y = r + γ (1 − terminal) (min(Q̄₁, Q̄₂) − β₂ · mean((a' − a'_data)²)),
    (B,).

    Args:
        batch: with `next_action` where there is a penalty; where none follows, there is none.
        next_action: a' (B, d'), smoothed.
        next_values: Q̄ (2, B) at the next state and a'.
        gamma: discount in [0, 1].
        penalty: β₂.
    """
    value = next_values.amin(0)
    if penalty:
        if batch.next_action is None or batch.follows is None:
            raise ValueError(
                "the critic's penalty needs the next actions; draw from `Transitions.followed()`"
            )
        value = value - penalty * batch.follows * (next_action - batch.next_action).square().mean(
            -1
        )
    return batch.reward + gamma * (1 - batch.terminal) * value


def critic_loss(critic: TwinCritic, batch: TransitionBatch, goal: Tensor) -> Tensor:
    """mean((Q₁(s, a) − y)²) + mean((Q₂(s, a) − y)²)."""
    # the mean is over both critics
    return 2 * F.mse_loss(critic(batch.state, batch.action), goal.expand(2, -1))


def actor_loss(
    actor: Actor, critic: TwinCritic, batch: TransitionBatch, *, alpha: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """−λ · mean Q₁(s, π(s)) + mean((π(s) − a)²) with λ = α / mean|Q₁(s, π(s))|, detached; and its
    parts, to log.
    """
    action = actor(batch.state)
    value = critic.first(batch.state, action)
    size = value.detach().abs().mean()
    weight = alpha / size.clamp_min(torch.finfo(size.dtype).tiny)
    distance = F.mse_loss(action, batch.action)
    loss = distance - weight * value.mean()
    parts = {"actor_loss": loss, "bc_distance": distance, "mean_abs_q": size, "lambda": weight}
    return loss, {name: part.detach() for name, part in parts.items()}


class Td3bc:
    """The learner: an actor, twin critics, their slow copies, and the random numbers of the
    smoothing.
    """

    def __init__(self, actor: Actor, settings: Td3bcSettings, *, seed: int) -> None:
        """Takes the actor as it is (a clone's, say) and trains it in place; the critics start from
        the seed.
        """
        self._actor, self._settings = actor, settings
        self._generator = torch.Generator().manual_seed(seed)
        self._critic = TwinCritic(
            actor.d_state,
            actor.d_action,
            hidden=settings.critic_hidden,
            layer_norm=settings.layer_norm,
            generator=self._generator,
        )
        self.slow_actor, self.slow_critic = copy.deepcopy(actor), copy.deepcopy(self._critic)
        self._actor_parameters, self._critic_parameters = (
            list(actor.parameters()),
            list(self._critic.parameters()),
        )
        self._adam_actor = adam(self._actor_parameters, settings.actor_rate)
        self._adam_critic = adam(self._critic_parameters, settings.critic_rate)
        self._fast = [*self._actor_parameters, *self._critic_parameters]
        self._slow = [*self.slow_actor.parameters(), *self.slow_critic.parameters()]
        self._updates = 0

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def critic(self) -> TwinCritic:
        return self._critic

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """One step of the critics and, every `delay` steps, one of the actor and the slow
        copies.
        """
        noise = torch.randn(batch.action.shape, generator=self._generator)
        goal = self.goal(batch, noise * self._settings.noise)
        loss = critic_loss(self._critic, batch, goal)
        _step(self._adam_critic, self._critic_parameters, loss)
        metrics = {"critic_loss": loss.detach()}
        self._updates += 1
        if self._updates % self._settings.delay == 0:
            loss, parts = actor_loss(self._actor, self._critic, batch, alpha=self._settings.alpha)
            _step(self._adam_actor, self._actor_parameters, loss)
            follow(self._slow, self._fast, self._settings.tau)
            metrics |= parts
        return metrics

    @torch.no_grad()
    def goal(self, batch: TransitionBatch, noise: Tensor) -> Tensor:
        """What the critics are drawn to, (B,), with given noise (B, d') before clipping."""
        next_action = smoothed(
            self.slow_actor(batch.next_state),
            noise,
            clip=self._settings.noise_clip,
            projection=self._actor.projection,
        )
        values = self.slow_critic(batch.next_state, next_action)
        settings = self._settings
        return target(
            batch, next_action, values, gamma=settings.gamma, penalty=settings.critic_penalty
        )

    def state(self) -> dict[str, Tensor]:
        return {
            **prefixed("actor", self._actor.state_dict()),
            **prefixed("critic", self._critic.state_dict()),
            **prefixed("slow_actor", self.slow_actor.state_dict()),
            **prefixed("slow_critic", self.slow_critic.state_dict()),
            **prefixed("adam_actor", optimiser_state(self._adam_actor)),
            **prefixed("adam_critic", optimiser_state(self._adam_critic)),
            "generator": self._generator.get_state(),
            "updates": torch.tensor(self._updates),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._actor.load_state_dict(under("actor", state))
        self._critic.load_state_dict(under("critic", state))
        self.slow_actor.load_state_dict(under("slow_actor", state))
        self.slow_critic.load_state_dict(under("slow_critic", state))
        load_optimiser(self._adam_actor, under("adam_actor", state))
        load_optimiser(self._adam_critic, under("adam_critic", state))
        self._generator.set_state(state["generator"])
        self._updates = int(state["updates"])


def _step(optimiser: torch.optim.Adam, parameters: list[torch.nn.Parameter], loss: Tensor) -> None:
    """One step on these parameters alone; the critics get no gradient from the actor's loss."""
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimiser.step()
