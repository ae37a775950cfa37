"""Writes `td3bc_reference.npz`: losses and gradients of torchrl's `TD3BCLoss` on one batch, with fixed weights and given noise.

    pip install torchrl==0.14.1 tensordict==0.15.3     # beside torch 2.13.0
    python tests/simworld/training/data/make_td3bc_reference.py

Arrays: the batch; `noise` (B, d'), scaled but not clipped; weights of `actor`, `target_actor`,
`critic` and `target_critic` by layer, (out, in) as in `nn.Linear`, those of critics stacked (2, out,
in); `target`, `loss.*` and `grad.*`. `versions` says what made it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensordict
import torch
import torchrl
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.modules import ValueOperator
from torchrl.objectives.td3_bc import TD3BCLoss

D_STATE, D_ACTION, HIDDEN, BATCH = 5, 3, 16, 32
NOISE = 0.4  # twice the default, so that some of it is clipped


class Value(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = perceptron(D_STATE + D_ACTION, 1)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        value: Tensor = self.net(torch.cat([observation, action], -1))
        return value


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, outputs),
    )


def main() -> None:
    torch.manual_seed(20261123)
    policy = nn.Sequential(perceptron(D_STATE, D_ACTION), nn.Tanh())
    actor = TensorDictModule(policy, in_keys=["observation"], out_keys=["action"])
    critic = ValueOperator(Value(), in_keys=["observation", "action"])
    loss = TD3BCLoss(
        actor,
        critic,
        bounds=(-torch.ones(D_ACTION), torch.ones(D_ACTION)),
        alpha=2.5,
        policy_noise=NOISE,
        loss_function="l2",
    )
    loss.make_value_estimator(gamma=0.99)
    for slow in (loss.target_actor_network_params, loss.target_qvalue_network_params):
        for value in slow.values(include_nested=True, leaves_only=True):
            value.data += 0.1 * torch.randn_like(value)
    terminal = torch.rand(BATCH, 1) < 0.25
    after = {
        "observation": torch.randn(BATCH, D_STATE),
        "reward": torch.randn(BATCH, 1),
        "done": terminal,
        "terminated": terminal,
    }
    batch = TensorDict(
        {
            "observation": torch.randn(BATCH, D_STATE),
            "action": torch.rand(BATCH, D_ACTION) * 2 - 1,
            "next": after,
        },
        [BATCH],
    )
    noise_state = torch.get_rng_state()
    noise = torch.randn_like(batch["action"]) * NOISE
    torch.set_rng_state(noise_state)  # the loss draws the same
    critic_loss, more = loss.qvalue_loss(batch)
    critic_loss.backward()
    actor_loss, parts = loss.actor_loss(batch)
    actor_loss.backward()
    arrays = {
        "state": batch["observation"],
        "action": batch["action"],
        "reward": after["reward"][:, 0],
        "next_state": after["observation"],
        "terminal": terminal[:, 0].float(),
        "noise": noise,
        "target": more["target_value"],
        "loss.critic": critic_loss,
        "loss.actor": actor_loss,
        "loss.bc_distance": parts["bc_loss"],
        "loss.lambda": parts["lmbd"],
    }
    for name, weights in (
        ("actor", loss.actor_network_params),
        ("target_actor", loss.target_actor_network_params),
        ("critic", loss.qvalue_network_params),
        ("target_critic", loss.target_qvalue_network_params),
    ):
        found = list(weights.flatten_keys(".").items())
        for key, value in found:
            layer, part = (
                [piece for piece in key.split(".") if piece.isdigit()][-1],
                key.rsplit(".", 1)[1],
            )
            arrays[f"{name}.{layer}.{part}"] = value
            if value.grad is not None:
                arrays[f"grad.{name}.{layer}.{part}"] = value.grad
    made = (
        f"torchrl {torchrl.__version__}, tensordict {tensordict.__version__}, torch"
        f" {torch.__version__}"
    )
    np.savez(
        Path(__file__).with_name("td3bc_reference.npz"),
        versions=np.array(made),
        **{name: value.detach().numpy() for name, value in arrays.items()},
    )


if __name__ == "__main__":
    main()
