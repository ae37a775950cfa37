"""TD3+BC against torchrl's on Pendulum: same data, same settings, five seeds each; and what the
other learners bring there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import Transitions
from simworld.training.rl.awac import AWAC, AWACSettings
from simworld.training.rl.bc import BC, BCSettings
from simworld.training.rl.iql import IQL, IQLSettings
from simworld.training.rl.learner import Learner
from simworld.training.rl.offline_training import LoopSettings, train_offline
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from tests.simworld.training.pendulum import collect, mean_return, sha256

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data" / "pendulum_reference.json").read_text()
)


def test_the_data_are_those_of_the_reference() -> None:
    assert sha256(collect()) == REFERENCE["sha256"]


# Twelve seconds of one core. Without it nothing is untried: test_td3bc.py checks every step against
# the reference learner's, and the slow test below asks for more than this one.
@pytest.mark.slow
def test_half_the_steps_already_bring_most_of_the_reference_learners_gain_over_cloning() -> None:
    reference, cloned = (float(np.mean(REFERENCE["returns"][name])) for name in ("td3bc", "bc"))
    steps = REFERENCE["settings"]["steps"] // 2
    assert returned(collect(), "td3bc", 0, steps=steps) - cloned >= 0.8 * (reference - cloned)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["iql", "awac"])
def test_learners_of_weighted_regression_gain_over_cloning(kind: str) -> None:
    reference, cloned = (float(np.mean(REFERENCE["returns"][name])) for name in ("td3bc", "bc"))
    steps = REFERENCE["settings"]["steps"] // 2
    assert returned(collect(), kind, 0, steps=steps) - cloned >= 0.8 * (reference - cloned)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_returns_come_within_a_tenth_of_the_reference_learners_gain_over_cloning() -> None:
    data, seeds = collect(), range(len(REFERENCE["returns"]["td3bc"]))
    reference, cloned = (float(np.mean(REFERENCE["returns"][name])) for name in ("td3bc", "bc"))
    gain = reference - cloned
    ours = float(np.mean([returned(data, "td3bc", seed) for seed in seeds]))
    our_clone = float(np.mean([returned(data, "bc", seed) for seed in seeds]))
    assert gain > 300  # else there is nothing to compare
    assert abs(ours - reference) <= 0.1 * gain, (
        f"ours {ours:.1f}, reference {reference:.1f}, its clone {cloned:.1f}"
    )
    assert ours - our_clone >= 0.8 * gain


def returned(data: Transitions, kind: str, seed: int, **changed: Any) -> float:
    given = REFERENCE["settings"] | changed
    actor = new_actor(3, 1, hidden=given["hidden"], projection="box", seed=seed)
    learner: Learner
    steps = given["steps"]
    shared = {
        "actor_lr": given["rate"],
        "critic_lr": given["rate"],
        "critic_hidden": given["hidden"],
        **{name: given[name] for name in ("gamma", "tau")},
    }
    if kind in ("iql", "awac"):  # advantages are in deviations of the reward
        data = replace(data, rewards=data.rewards / data.rewards.std())
    match kind:
        case "td3bc":
            learner = TD3BC(actor, TD3BCSettings(alpha=given["alpha"], **shared), seed=seed)
        case "iql":
            learner = IQL(actor, IQLSettings(expectile=0.9, beta=3.0, **shared), seed=seed)
        case "awac":
            learner = AWAC(actor, AWACSettings(beta=3.0, **shared), seed=seed)
        case _:
            learner, steps = BC(actor, BCSettings(actor_lr=given["rate"])), given["bc_steps"]
    loop = LoopSettings(
        steps=steps, batch_size=given["batch_size"], seed=seed, eval_interval=steps, held_out=0
    )
    _, normalizer = train_offline(learner, data, loop, gamma=given["gamma"])
    with torch.no_grad():
        return mean_return(
            lambda state: actor(normalizer.standardise(torch.from_numpy(state))).numpy()
        )
