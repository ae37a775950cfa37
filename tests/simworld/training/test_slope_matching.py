"""What a transition says about other actions, by hand, and whether a learner hears it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.steering.planner import Actor
from simworld.training.constant import best_constant
from simworld.training.networks import TwinCritic, new_actor, start_at
from simworld.training.scale import scale_of
from simworld.training.slope_matching import slope_loss
from simworld.training.td3bc import Td3bc, Td3bcSettings
from simworld.training.transitions import Batch, Transitions


def batch(slope: list[list[float]] | None) -> Batch:
    return Batch(
        state=torch.zeros(2, 1),
        action=torch.tensor([[0.5, -0.5], [0.2, 0.0]]),
        reward=torch.zeros(2),
        next_state=torch.zeros(2, 1),
        terminal=torch.ones(2),
        slope=None if slope is None else torch.tensor(slope),
    )


def test_the_slope_of_a_critic_is_drawn_to_advantage_times_slope() -> None:
    critic = TwinCritic(1, 2, hidden=(), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        critic.weights[0].copy_(torch.tensor([[[7.0], [1.0], [0.0]], [[7.0], [0.0], [2.0]]]))
    given = batch([[2.0, 0.0], [float("nan"), 1.0]])
    loss = slope_loss(critic, given, torch.tensor([3.0, 5.0]))
    # The first row asks for 3 · (2, 0): Q₁ is (−5, 0) off, Q₂ (−6, 2); the second has no slope. (25 + 40) / 2 rows, and the
    # slopes' mean square is 4 / 2.
    assert loss.item() == pytest.approx(65 / 2 / 2)
    (gradient,) = torch.autograd.grad(loss, critic.weights[0])
    # d/dw = 2 · off / 2 rows / 2; states do not come into it.
    torch.testing.assert_close(gradient, torch.tensor([[[0.0], [-2.5], [0.0]], [[0.0], [-3.0], [1.0]]]))
    with pytest.raises(ValueError, match="without slopes"):
        slope_loss(critic, batch(None), torch.zeros(2))


def test_without_any_slope_nothing_is_asked() -> None:
    critic = TwinCritic(1, 2, hidden=(4,), generator=torch.Generator().manual_seed(0))
    loss = slope_loss(critic, batch([[float("nan")] * 2] * 2), torch.ones(2))
    assert loss.item() == 0


def luck(n: int = 600, seed: int = 0, *, known: bool = True) -> Transitions:
    """Replies are a coin: heads with the probability sigmoid(a · w), and heads pays. Actions lie near (√2, 0), so w shows in
    them hardly."""
    draw = np.random.default_rng(seed)
    actions = np.array([2**0.5, 0.0]) + 0.1 * draw.normal(size=(n, 2))
    actions *= 2**0.5 / np.linalg.norm(actions, axis=1, keepdims=True)
    w = np.array([0.0, 0.8])
    p = 1 / (1 + np.exp(-actions @ w))
    heads = draw.random(n) < p
    slopes = np.where(heads, 1 - p, -p)[:, None] * w
    return Transitions(
        states=draw.normal(size=(n, 2)).astype(np.float32),
        actions=actions.astype(np.float32),
        rewards=(heads - 0.5).astype(np.float32),
        state=np.arange(n),
        next_state=np.arange(n),
        terminal=np.ones(n, dtype=np.bool_),
        episode=np.arange(n),
        turn=np.zeros(n, dtype=np.int64),
        family=np.arange(n) % 5,
        episodes=[f"e{i}" for i in range(n)],
        families=[f"f{i}" for i in range(5)],
        slopes=slopes.astype(np.float32) if known else None,
    )


def taught(transitions: Transitions, seed: int) -> Actor:
    torch.set_num_threads(1)  # small products wait for each other longer than they take
    actor = new_actor(2, 2, hidden=(16,), projection="sphere", seed=1)
    start_at(actor, torch.tensor([2**0.5, 0.0]))
    settings = Td3bcSettings(alpha=10, gamma=0, actor_rate=3e-3, critic_rate=2e-2, critic_hidden=())
    learner, scale = Td3bc(actor, settings, seed=seed), scale_of(transitions)
    draws = np.random.default_rng(seed)
    for _ in range(600):
        learner.update(scale.batch(transitions.draw(draws, 64)))
    return actor


def test_with_slopes_a_learner_finds_what_luck_hides() -> None:
    found: list[float] = []
    blind: list[float] = []
    for seed in range(5):
        for known, into in ((True, found), (False, blind)):
            actor = taught(luck(seed=seed, known=known), seed)
            with torch.no_grad():
                into.append(float(actor(torch.zeros(1, 2))[0, 1]))
    assert min(found) > 0.5  # towards heads, every time
    assert np.std(blind) > 3 * np.std(found)  # without them it is as the coins fell


def test_the_best_constant_listens_to_slopes_and_stays_near_the_data() -> None:
    best = best_constant(luck(), by_act=True)
    assert np.linalg.norm(best) == pytest.approx(2**0.5)
    # At the distance that the data keep from their mean, .1 of 1.41, towards heads.
    assert best[1] == pytest.approx(0.1, abs=0.02)
    assert best[0] == pytest.approx(2**0.5, abs=0.01)
