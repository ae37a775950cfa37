"""Writes `pendulum_reference.json`: what torchrl's TD3+BC and plain behaviour cloning return on Pendulum, with the test's data.

    pip install torchrl==0.14.1 tensordict==0.15.3     # beside the project and its development packages
    OMP_NUM_THREADS=1 python -m tests.simworld.training.data.make_pendulum_reference     # about five minutes

Of simworld it uses the data alone. The test reads its settings from the file, so both learners have the same.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tensordict
import torch
import torchrl
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.modules import ValueOperator
from torchrl.objectives import SoftUpdate
from torchrl.objectives.td3_bc import TD3BCLoss

from tests.simworld.training.pendulum import collect, mean_return, sha256

SEEDS = 5
SETTINGS: dict[str, Any] = {
    "steps": 6000,
    "batch_size": 256,
    "hidden": [64, 64],
    "rate": 1e-3,
    "alpha": 10.0,
    "gamma": 0.97,
    "tau": 0.01,
    "bc_steps": 3000,
}


class Value(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = perceptron(4, 1)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        value: Tensor = self.net(torch.cat([observation, action], -1))
        return value


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    sizes = [inputs, *SETTINGS["hidden"]]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs))


def main() -> None:
    data = collect()
    mean, std = data.states[data.state_rows].mean(0), data.states[data.state_rows].std(0) + 1e-3
    whole = TensorDict(
        {
            "observation": torch.from_numpy((data.states[data.state_rows] - mean) / std),
            "action": torch.from_numpy(data.actions),
            "next": {
                "observation": torch.from_numpy((data.states[data.next_state_rows] - mean) / std),
                "reward": torch.from_numpy(data.rewards)[:, None],
                # cut by the time limit, so bootstrapped
                "done": torch.zeros(len(data), 1, dtype=torch.bool),
                "terminated": torch.zeros(len(data), 1, dtype=torch.bool),
            },
        },
        [len(data)],
    )

    def returned(policy: nn.Module) -> float:
        with torch.no_grad():
            return round(
                mean_return(lambda state: policy(torch.from_numpy((state - mean) / std)).numpy()), 1
            )

    found: dict[str, list[float]] = {"td3bc": [], "bc": []}
    for seed in range(SEEDS):
        found["td3bc"].append(returned(td3bc(whole, seed)))
        found["bc"].append(returned(bc(whole, seed)))
    made = (
        f"torchrl {torchrl.__version__}, tensordict {tensordict.__version__}, torch"
        f" {torch.__version__}"
    )
    written = {"versions": made, "sha256": sha256(data), "settings": SETTINGS, "returns": found}
    Path(__file__).with_name("pendulum_reference.json").write_text(
        json.dumps(written, indent=1) + "\n"
    )


def td3bc(whole: TensorDict, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    policy = nn.Sequential(perceptron(3, 1), nn.Tanh())
    loss = TD3BCLoss(
        TensorDictModule(policy, in_keys=["observation"], out_keys=["action"]),
        ValueOperator(Value(), in_keys=["observation", "action"]),
        bounds=(-torch.ones(1), torch.ones(1)),
        alpha=SETTINGS["alpha"],
        loss_function="l2",
    )
    loss.make_value_estimator(gamma=SETTINGS["gamma"])
    slow = SoftUpdate(loss, tau=SETTINGS["tau"])
    adam_actor = torch.optim.Adam(loss.actor_network_params.parameters(), lr=SETTINGS["rate"])
    adam_critic = torch.optim.Adam(loss.qvalue_network_params.parameters(), lr=SETTINGS["rate"])
    for step in range(1, SETTINGS["steps"] + 1):
        batch = whole[torch.from_numpy(rng.integers(len(whole), size=SETTINGS["batch_size"]))]
        value, _ = loss.qvalue_loss(batch)
        adam_critic.zero_grad()
        value.backward()
        adam_critic.step()
        if step % 2 == 0:
            value, _ = loss.actor_loss(batch)
            adam_actor.zero_grad()
            value.backward()
            adam_actor.step()
            slow.step()
    with loss.actor_network_params.to_module(policy_module := loss.actor_network):
        return _frozen(policy_module.module)


def _frozen(policy: nn.Module) -> nn.Module:
    """A copy that holds the weights themselves, for outside `to_module` the network holds none."""
    copied = nn.Sequential(perceptron(3, 1), nn.Tanh())
    copied.load_state_dict(policy.state_dict())
    return copied


def bc(whole: TensorDict, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    policy = nn.Sequential(perceptron(3, 1), nn.Tanh())
    adam = torch.optim.Adam(policy.parameters(), lr=SETTINGS["rate"])
    for _ in range(SETTINGS["bc_steps"]):
        batch = whole[torch.from_numpy(rng.integers(len(whole), size=SETTINGS["batch_size"]))]
        loss = nn.functional.mse_loss(policy(batch["observation"]), batch["action"])
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    return policy


if __name__ == "__main__":
    main()
