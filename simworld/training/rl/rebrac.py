"""ReBRAC: TD3+BC with LayerNorm in the critics and separate penalties of actor and critic
(Tarasov et al. 2023, arXiv 2305.09836), as settings of TD3+BC.

ReBRAC's penalties are sums over the d' coordinates, those of TD3+BC here are means. Its actor
climbs Q / mean|Q| − β₁ |π(s) − a|², which is β₁ d' times what TD3+BC climbs with α = 1 / (β₁ d');
its critics' targets lose β₂ |a' − a'_data|², which is a mean penalty of β₂ d'. Deviations: the
actor climbs Q₁ and not the smaller of both, and the sizes and rates of actor, batch and critic are
what TD3+BC has here, but for the critics' third hidden layer.
"""

from __future__ import annotations

from pydantic import Field

from simworld.training.rl.critic_settings import ValueSettings
from simworld.training.rl.td3bc import TD3BCSettings


class ReBRACSettings(ValueSettings):
    """Settings of ReBRAC, in the paper's units."""

    critic_hidden: tuple[int, ...] = (256, 256, 256)
    beta1: float = Field(0.01, gt=0)  # weight of the actor's penalty
    beta2: float = Field(0.01, ge=0)  # weight of the critics' penalty

    def td3bc(self, d_action: int) -> TD3BCSettings:
        """Gives the settings of TD3+BC that mean the same for actions of d' numbers."""
        shared = {name: getattr(self, name) for name in ValueSettings.model_fields}
        return TD3BCSettings(
            **shared,
            layer_norm=True,
            alpha=1 / (self.beta1 * d_action),
            critic_penalty=self.beta2 * d_action,
        )
