"""Writes `advantage_reference.npz`: losses and gradients of IQL and AWAC on one batch, with fixed weights.

    pip install torchrl==0.14.1 tensordict==0.15.3     # beside torch 2.13.0
    python tests/simworld/training/data/make_advantage_reference.py

IQL's are those of torchrl's `IQLLoss`. torchrl has no AWAC: its losses are worked out in numpy in float64, and the gradients are
central differences of them. Both actors are normal distributions around tanh(...) whose variance is d'/2, so that −log density is
the mean squared distance of an action, but for a constant, which `loss.iql.actor` is without.

Arrays: the batch; weights of `actor`, `critic`, `target_critic` and `value` by layer, (out, in) as in `nn.Linear`, those of critics
stacked (2, out, in); `iql.advantage`, `awac.advantage`, `awac.target`; `loss.*` and `grad.*`. `versions` says what made it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensordict
import torch
import torchrl
from numpy.typing import NDArray
from tensordict import TensorDict
from tensordict.nn import ProbabilisticTensorDictModule as Drawn
from tensordict.nn import ProbabilisticTensorDictSequential, TensorDictModule
from torch import Tensor, nn
from torchrl.modules import ValueOperator
from torchrl.objectives.iql import IQLLoss

D_STATE, D_ACTION, HIDDEN, BATCH = 5, 3, 16, 32
GAMMA, EXPECTILE, BETA = 0.99, 0.7, 3.0
STEP = 1e-5  # of central differences
Arrays = dict[str, NDArray[Any]]


def perceptron(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, outputs),
    )


class Value(nn.Module):
    """Q(s, a), or V(s) without actions."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.net = perceptron(inputs, 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        value: Tensor = self.net(torch.cat(inputs, -1))
        return value


class Policy(nn.Module):
    """The mean and the deviation √(d'/2) of actions."""

    def __init__(self) -> None:
        super().__init__()
        self.net = perceptron(D_STATE, D_ACTION)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.tanh(self.net(observation))
        return mean, torch.full_like(mean, math.sqrt(D_ACTION / 2))


class Independent(torch.distributions.Independent[torch.distributions.Normal]):
    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        super().__init__(torch.distributions.Normal(loc, scale), 1)


def layers(weights: TensorDict, *, gradients: bool = False) -> Arrays:
    """Weights by "<layer>.<part>"."""
    found: Arrays = {}
    for key, value in weights.flatten_keys(".").items():
        layer = [piece for piece in key.split(".") if piece.isdigit()][-1]
        tensor = value.grad if gradients else value
        if tensor is not None:
            found[f"{layer}.{key.rsplit('.', 1)[1]}"] = tensor.detach().numpy()
    return found


def torchrl_iql(batch: TensorDict) -> Arrays:
    """Weights, losses and gradients of IQL."""
    actor = ProbabilisticTensorDictSequential(
        TensorDictModule(Policy(), in_keys=["observation"], out_keys=["loc", "scale"]),
        Drawn(in_keys=["loc", "scale"], out_keys=["action"], distribution_class=Independent),
    )
    loss = IQLLoss(
        actor,
        ValueOperator(Value(D_STATE + D_ACTION), in_keys=["observation", "action"]),
        value_network=ValueOperator(Value(D_STATE), in_keys=["observation"]),
        temperature=BETA,
        expectile=EXPECTILE,
        loss_function="l2",
    )
    loss.make_value_estimator(gamma=GAMMA)
    for name in ("qvalue_network_params", "value_network_params", "actor_network_params"):
        for value in getattr(loss, name).values(include_nested=True, leaves_only=True):
            value.data *= 2.6  # so that advantages differ and some weights are cut
    for value in loss.target_qvalue_network_params.values(include_nested=True, leaves_only=True):
        value.data += 0.3 * torch.randn_like(value)
    named = {
        "actor": loss.actor_network_params,
        "critic": loss.qvalue_network_params,
        "value": loss.value_network_params,
    }
    arrays: Arrays = {}
    parts = {"actor": loss.actor_loss, "critic": loss.qvalue_loss, "value": loss.value_loss}
    for name, part in parts.items():
        value, _ = part(batch.clone())
        value.backward()
        arrays[f"loss.iql.{name}"] = value.detach().numpy()
        gradients = layers(named[name], gradients=True)
        arrays |= {f"grad.iql.{name}.{key}": gradient for key, gradient in gradients.items()}
    for name, weights in {**named, "target_critic": loss.target_qvalue_network_params}.items():
        arrays |= {f"{name}.{key}": weight for key, weight in layers(weights).items()}
    return arrays


def forward(arrays: Arrays, name: str, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """(B, out), or (2, B, out) of critics."""
    hidden = inputs
    for layer in (0, 2, 4):
        weight, bias = arrays[f"{name}.{layer}.weight"], arrays[f"{name}.{layer}.bias"]
        hidden = hidden @ np.swapaxes(weight, -1, -2) + bias[..., None, :]
        hidden = np.maximum(hidden, 0) if layer < 4 else hidden
    return np.asarray(hidden)


def numpy_awac(given: Arrays) -> Arrays:
    """Losses and gradients of AWAC with the same weights."""
    arrays = {name: value.astype(np.float64) for name, value in given.items()}
    state, action = arrays["state"], arrays["action"]

    def policy(of: NDArray[Any]) -> NDArray[np.float64]:
        return np.tanh(forward(arrays, "actor", of))

    def q(name: str, of: NDArray[Any], taken: NDArray[Any]) -> NDArray[np.float64]:
        return forward(arrays, name, np.concatenate((of, taken), -1))[..., 0]

    after = arrays["next_state"]
    following = q("target_critic", after, policy(after)).min(0)
    target = arrays["reward"] + GAMMA * (1 - arrays["terminal"]) * following
    advantage = q("critic", state, action).min(0) - q("critic", state, policy(state)).min(0)
    weight = np.minimum(np.exp(BETA * advantage), 100)

    def critic_loss() -> float:
        return float(((q("critic", state, action) - target) ** 2).mean(1).sum())

    def actor_loss() -> float:
        return float((weight * ((policy(state) - action) ** 2).mean(1)).mean())

    found: Arrays = {"awac.target": target, "awac.advantage": advantage}
    for name, loss in {"critic": critic_loss, "actor": actor_loss}.items():
        found[f"loss.awac.{name}"] = np.array(loss())
        for key in [key for key in arrays if key.startswith(f"{name}.")]:
            found[f"grad.awac.{key}"] = central_differences(loss, arrays[key])
    return found


def central_differences(loss: Callable[[], float], at: NDArray[Any]) -> NDArray[np.float64]:
    """The gradient of a loss that reads an array."""
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        kept, sides = at[index], []
        for step in (STEP, -STEP):
            at[index] = kept + step
            sides.append(loss())
        at[index] = kept
        gradient[index] = (sides[0] - sides[1]) / (2 * STEP)
    return gradient


def main() -> None:
    torch.manual_seed(20261130)
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
    arrays: Arrays = {
        "state": batch["observation"].numpy(),
        "action": batch["action"].numpy(),
        "reward": after["reward"][:, 0].numpy(),
        "next_state": after["observation"].numpy(),
        "terminal": terminal[:, 0].float().numpy(),
    }
    arrays |= torchrl_iql(batch)
    arrays |= numpy_awac(arrays)
    # what torchrl's actor loss has beside the mean squared distances: the density's constant
    taken = np.concatenate((arrays["state"], arrays["action"]), -1)
    value = forward(arrays, "value", arrays["state"])[:, 0]
    advantage = forward(arrays, "target_critic", taken)[..., 0].min(0) - value
    weight = np.minimum(np.exp(BETA * advantage), 100)
    arrays["iql.advantage"] = advantage
    constant = D_ACTION * math.log(math.sqrt(D_ACTION / 2) * math.sqrt(2 * math.pi))
    arrays["loss.iql.actor"] = arrays["loss.iql.actor"] - constant * weight.mean()
    for learner in ("iql", "awac"):  # so that cutting is compared too
        assert 0 < (arrays[f"{learner}.advantage"] > math.log(100) / BETA).sum() < BATCH
    made = (
        f"torchrl {torchrl.__version__}, tensordict {tensordict.__version__}, torch"
        f" {torch.__version__}, numpy {np.__version__}"
    )
    written: dict[str, Any] = {
        "versions": np.array(made),
        **{name: np.asarray(value, np.float32) for name, value in arrays.items()},
    }
    np.savez(Path(__file__).with_name("advantage_reference.npz"), **written)


if __name__ == "__main__":
    main()
