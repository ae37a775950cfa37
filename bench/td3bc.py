"""Updates per second of TD3+BC, side by side in one run with torchrl's on the same sizes.

    pip install torchrl==0.14.1 tensordict==0.15.3     # into a virtual environment that has simworld
    OMP_NUM_THREADS=1 python -m bench.td3bc

Both sides learn from the same batch in memory, with networks of the same size: one update of the critics and, every second time,
one of the actor and the target networks. They take turns, so that a busy machine slows both. One JSON line per size; `ratio` is ours
over theirs, the median of rounds. Without torchrl only ours is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import torch
from torch import Tensor, nn

from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings

SIZES = ((3, 1, 64, 256), (577, 64, 256, 256), (577, 64, 256, 1024))  # d_s, d', hidden, batch
Update = Callable[[], object]


def random_batch(d_state: int, d_action: int, size: int) -> TransitionBatch:
    """A random batch."""
    generator = torch.Generator().manual_seed(0)
    return TransitionBatch(
        states=torch.randn(size, d_state, generator=generator),
        actions=torch.rand(size, d_action, generator=generator) * 2 - 1,
        rewards=torch.randn(size, generator=generator),
        next_states=torch.randn(size, d_state, generator=generator),
        terminals=(torch.rand(size, generator=generator) < 0.2).float(),
    )


def ours(batch: TransitionBatch, hidden: int) -> Update:
    """One update of our learner."""
    actor = new_actor(
        batch.states.shape[1],
        batch.actions.shape[1],
        hidden=(hidden, hidden),
        projection="box",
        seed=0,
    )
    learner = TD3BC(actor, TD3BCSettings(critic_hidden=(hidden, hidden)), seed=0)
    return lambda: learner.update(batch)


def theirs(batch: TransitionBatch, hidden: int) -> Update:
    """One update with torchrl's loss and its soft update, in the loop its documentation shows."""
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.modules import ValueOperator
    from torchrl.objectives import SoftUpdate
    from torchrl.objectives.td3_bc import TD3BCLoss

    d_state, d_action = batch.states.shape[1], batch.actions.shape[1]

    class Value(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = perceptron(d_state + d_action, hidden, 1)

        def forward(self, observation: Tensor, action: Tensor) -> Tensor:
            value: Tensor = self.net(torch.cat([observation, action], -1))
            return value

    policy = nn.Sequential(perceptron(d_state, hidden, d_action), nn.Tanh())
    loss = TD3BCLoss(
        TensorDictModule(policy, in_keys=["observation"], out_keys=["action"]),
        ValueOperator(Value(), in_keys=["observation", "action"]),
        bounds=(-torch.ones(d_action), torch.ones(d_action)),
        loss_function="l2",
    )
    loss.make_value_estimator(gamma=0.99)
    soft_update = SoftUpdate(loss, tau=0.005)
    adam_actor = torch.optim.Adam(loss.actor_network_params.parameters(), lr=3e-4)
    adam_critic = torch.optim.Adam(loss.qvalue_network_params.parameters(), lr=3e-4)
    terminal = batch.terminals[:, None].bool()
    next_step = {
        "observation": batch.next_states,
        "reward": batch.rewards[:, None],
        "done": terminal,
        "terminated": terminal,
    }
    data = TensorDict(
        {"observation": batch.states, "action": batch.actions, "next": next_step},
        [len(batch.rewards)],
    )
    updates_done = 0

    def update() -> None:
        nonlocal updates_done
        updates_done += 1
        value, _ = loss.qvalue_loss(data)
        adam_critic.zero_grad()
        value.backward()
        adam_critic.step()
        if updates_done % 2 == 0:
            value, _ = loss.actor_loss(data)
            adam_actor.zero_grad()
            value.backward()
            adam_actor.step()
            soft_update.step()

    return update


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, hidden, hidden)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def per_second(update: Update, updates: int) -> float:
    start = time.perf_counter()
    for _ in range(updates):
        update()
    return updates / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--updates", type=int, default=60, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    installed = find_spec("torchrl") is not None
    for d_state, d_action, hidden, size in SIZES:
        batch = random_batch(d_state, d_action, size)
        sides = {"ours": ours(batch, hidden)} | (
            {"reference": theirs(batch, hidden)} if installed else {}
        )
        for update in sides.values():
            per_second(update, 10)
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(args.rounds):
            for name, update in sides.items():
                rates[name].append(per_second(update, args.updates))
        line: dict[str, object] = {
            "bench": "td3bc",
            "d_state": d_state,
            "d_action": d_action,
            "hidden": hidden,
            "batch": size,
            "threads": torch.get_num_threads(),
        }
        line |= {
            f"{name}_per_s": round(statistics.median(values), 1) for name, values in rates.items()
        }
        if installed:
            ratios = [a / b for a, b in zip(rates["ours"], rates["reference"], strict=True)]
            line |= {
                "ratio": round(statistics.median(ratios), 2),
                "ratios": [round(ratio, 2) for ratio in ratios],
            }
        else:
            line["reference"] = "reference not installed"
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
