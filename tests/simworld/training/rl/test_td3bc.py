"""TD3+BC's formulas: against torchrl on one batch, and on numbers worked out by hand."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from agents.steering.planner import Actor
from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.bc import BC, BCSettings
from simworld.training.rl.learner import Learner
from simworld.training.rl.networks import Critic, TwinCritic
from simworld.training.rl.td3bc import (
    TD3BC,
    TD3BCSettings,
    actor_loss,
    critic_loss,
    smooth_target_action,
    td_target,
)
from tests.factories.transitions import bandit, episodes

REFERENCE = Path(__file__).parent.parent / "data" / "td3bc_reference.npz"
close = partial(torch.testing.assert_close, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(REFERENCE, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays if name != "versions"}


def load_actor(actor: Actor, name: str, reference: dict[str, Tensor]) -> None:
    actor.load_state_dict(
        {
            f"net.{i}.{part}": reference[f"{name}.{i}.{part}"]
            for i in (0, 2, 4)
            for part in ("weight", "bias")
        }
    )


def load_critic(critic: TwinCritic, name: str, reference: dict[str, Tensor]) -> None:
    for layer, number in enumerate((0, 2, 4)):
        critic.weights[layer].data = reference[f"{name}.{number}.weight"].mT.contiguous()
        critic.biases[layer].data = reference[f"{name}.{number}.bias"][:, None].contiguous()


@pytest.fixture
def learner(reference: dict[str, Tensor]) -> TD3BC:
    made = TD3BC(
        Actor(5, 3, hidden=(16, 16), projection="box"),
        TD3BCSettings(alpha=2.5, critic_hidden=(16, 16)),
        seed=0,
    )
    load_actor(made.actor, "actor", reference)
    load_actor(made.target_actor, "target_actor", reference)
    load_critic(perceptrons(made.critic), "critic", reference)
    load_critic(perceptrons(made.target_critic), "target_critic", reference)
    return made


def perceptrons(critic: Critic) -> TwinCritic:
    assert isinstance(critic, TwinCritic)
    return critic


@pytest.fixture
def batch(reference: dict[str, Tensor]) -> TransitionBatch:
    return TransitionBatch(
        **{
            f"{name}s": reference[name]
            for name in ("state", "action", "reward", "next_state", "terminal")
        }
    )


def test_critic_loss_and_gradients_equal_torchrl(
    learner: TD3BC, batch: TransitionBatch, reference: dict[str, Tensor]
) -> None:
    assert (reference["noise"].abs() > 0.5).any()  # so that clipping is compared too
    targets = learner.td_target(batch, reference["noise"])
    close(targets, reference["target"])
    loss = critic_loss(learner.critic, batch, targets)
    close(loss.detach(), reference["loss.critic"])
    loss.backward()  # type: ignore[no-untyped-call]
    for layer, number in enumerate((0, 2, 4)):
        critic = perceptrons(learner.critic)
        weight, bias = critic.weights[layer].grad, critic.biases[layer].grad
        assert weight is not None
        assert bias is not None
        close(weight.mT, reference[f"grad.critic.{number}.weight"])
        close(bias[:, 0], reference[f"grad.critic.{number}.bias"])


def test_actor_loss_and_gradients_equal_torchrl(
    learner: TD3BC, batch: TransitionBatch, reference: dict[str, Tensor]
) -> None:
    loss, parts = actor_loss(learner.actor, learner.critic, batch, alpha=2.5)
    close(loss.detach(), reference["loss.actor"].mean())
    close(parts["bc_distance"], reference["loss.bc_distance"])
    close(parts["lambda"], reference["loss.lambda"])
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in learner.actor.named_parameters():
        close(parameter.grad, reference[f"grad.actor.{name.removeprefix('net.')}"])
    assert all(parameter.grad is None for parameter in learner.critic.parameters())


def one(value: float) -> Tensor:
    return torch.tensor([[value]])


def line(
    reward: float = 1.0,
    terminal: float = 0.0,
    next_action: float | None = None,
    follows: float = 1.0,
) -> TransitionBatch:
    return TransitionBatch(
        states=one(2.0),
        actions=one(0.5),
        rewards=torch.tensor([reward]),
        next_states=one(0.0),
        terminals=torch.tensor([terminal]),
        next_actions=None if next_action is None else one(next_action),
        has_next=None if next_action is None else torch.tensor([follows]),
    )


def test_target_takes_the_smaller_value_and_stops_at_the_end() -> None:
    values = torch.tensor([[4.0], [3.0]])
    assert td_target(line(), one(0), values, gamma=0.5).item() == 2.5  # 1 + .5 · 3
    assert td_target(line(terminal=1), one(0), values, gamma=0.5).item() == 1.0


def test_critic_penalty_draws_the_target_down_where_a_next_action_is_known() -> None:
    values = torch.tensor([[4.0], [3.0]])
    # a' = .75, the data took .25: 3 − 2 · .25 = 2.5
    assert td_target(line(next_action=0.25), one(0.75), values, gamma=0.5, penalty=2).item() == 2.25
    assert (
        td_target(line(next_action=0.25, follows=0), one(0.75), values, gamma=0.5, penalty=2).item()
        == 2.5
    )
    with pytest.raises(ValueError, match="with_next_rows"):
        td_target(line(), one(0.75), values, gamma=0.5, penalty=2)


def linear_critic(weight: float) -> TwinCritic:
    """Q₁(s, a) = weight · a + 1, Q₂ = −Q₁."""
    critic = TwinCritic(1, 1, hidden=(), generator=torch.Generator())
    critic.weights[0].data = torch.tensor([[[0.0], [weight]], [[0.0], [-weight]]])
    critic.biases[0].data = torch.tensor([[[1.0]], [[-1.0]]])
    return critic


def linear_actor(weight: float) -> Actor:
    """π(s) = tanh(weight · s)."""
    actor = Actor(1, 1, hidden=(), projection="box")
    nn.init.constant_(actor.net[0].weight, weight)  # type: ignore[arg-type]
    nn.init.zeros_(actor.net[0].bias)  # type: ignore[arg-type]
    return actor


def test_lambda_is_alpha_over_the_mean_absolute_value() -> None:
    actor, critic = linear_actor(math.atanh(0.75) / 2), linear_critic(4.0)  # π(2) = .75, Q₁ = 4
    loss, parts = actor_loss(actor, critic, line(), alpha=2.0)
    assert parts["lambda"].item() == pytest.approx(0.5)
    assert loss.item() == pytest.approx(-0.5 * 4 + 0.25**2)
    loss.backward()  # type: ignore[no-untyped-call]
    gradient = actor.net[0].weight.grad
    assert isinstance(gradient, Tensor)
    # λ detached: dL/da = −.5 · 4 + 2 · .25, times dπ/dw = (1 − .75²) · 2
    assert gradient.item() == pytest.approx((-2 + 0.5) * (1 - 0.5625) * 2)


def test_both_critics_count_in_the_critic_loss() -> None:
    # at a = .5: Q₁ = 3, Q₂ = −3; y = 1
    assert critic_loss(linear_critic(4.0), line(), torch.tensor([1.0])).item() == pytest.approx(
        4 + 16
    )


def test_smoothing_on_the_sphere_clips_and_projects_back() -> None:
    action = torch.tensor([[math.sqrt(2), 0.0]])
    noise = torch.tensor([[0.0, 9.0]])  # clipped to .5
    length = math.hypot(math.sqrt(2), 0.5)
    expected = torch.tensor([[math.sqrt(2) * math.sqrt(2) / length, 0.5 * math.sqrt(2) / length]])
    torch.testing.assert_close(
        smooth_target_action(action, noise, clip=0.5, projection="sphere"), expected
    )


def test_smoothing_in_the_box_clips_twice() -> None:
    found = smooth_target_action(
        torch.tensor([[0.9, -0.2]]), torch.tensor([[0.3, -9.0]]), clip=0.5, projection="box"
    )
    torch.testing.assert_close(found, torch.tensor([[1.0, -0.7]]))


@given(st.integers(1, 64), st.integers(0, 1000))
def test_smoothed_actions_stay_on_the_sphere(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(3, size, generator=generator)
    action = raw / raw.norm(dim=-1, keepdim=True) * math.sqrt(size)
    noise = torch.randn(3, size, generator=generator) * 0.2
    found = smooth_target_action(action, noise, clip=0.5, projection="sphere")
    torch.testing.assert_close(found.square().mean(-1), torch.ones(3))


def test_critics_with_layer_norm_equal_two_networks_of_modules() -> None:
    critic = TwinCritic(
        2, 1, hidden=(4, 4), layer_norm=True, generator=torch.Generator().manual_seed(1)
    )
    for gain, shift in zip(critic.gains, critic.shifts, strict=True):
        gain.data = torch.rand(gain.shape, generator=torch.Generator().manual_seed(2))
        shift.data = torch.rand(shift.shape, generator=torch.Generator().manual_seed(3))
    state, action = (
        torch.randn(5, 2, generator=torch.Generator().manual_seed(4)),
        torch.linspace(-1, 1, 5)[:, None],
    )
    for which in range(2):
        x = torch.cat((state, action), -1)
        for layer in range(3):
            x = nn.functional.linear(
                x, critic.weights[layer][which].T, critic.biases[layer][which, 0]
            )
            if layer < 2:
                x = nn.functional.layer_norm(
                    x.relu(), (4,), critic.gains[layer][which, 0], critic.shifts[layer][which, 0]
                )
        torch.testing.assert_close(critic(state, action)[which], x[:, 0])
    torch.testing.assert_close(critic.q1(state, action), critic(state, action)[0])


def test_the_actor_and_the_slow_copies_move_every_second_update() -> None:
    learner = TD3BC(
        new_actor(3, 4, hidden=(8,), projection="sphere", seed=0), TD3BCSettings(tau=0.5), seed=0
    )
    data = bandit()
    rng = np.random.default_rng(0)
    actor, slow = learner.actor.net[0].weight, perceptrons(learner.target_critic).weights[0]
    assert isinstance(actor, Tensor)
    before, slow_before = actor.clone(), slow.clone()
    assert set(learner.update(data.sample(rng, 16))) == {"critic_loss"}
    assert torch.equal(actor, before)
    assert torch.equal(slow, slow_before)
    assert set(learner.update(data.sample(rng, 16))) == {
        "critic_loss",
        "actor_loss",
        "bc_distance",
        "mean_abs_q",
        "lambda",
    }
    assert not torch.equal(actor, before)
    weights = perceptrons(learner.critic).weights[0]
    torch.testing.assert_close(slow, (slow_before + weights) / 2)


@pytest.mark.parametrize("kind", ["td3bc", "bc"])
def test_a_loaded_state_goes_on_bitwise(kind: str) -> None:
    def made() -> Learner:
        actor = new_actor(3, 4, hidden=(8,), projection="sphere", seed=0)
        if kind == "bc":
            return BC(actor, BCSettings())
        return TD3BC(
            actor, TD3BCSettings(critic_hidden=(8,), layer_norm=True, critic_penalty=0.1), seed=3
        )

    data = bandit().with_next_rows()
    batches = [data.sample(np.random.default_rng(step), 16) for step in range(9)]
    whole, first, second = made(), made(), made()
    for batch in batches:
        whole.update(batch)
    for batch in batches[:1]:  # before the actor's first step: its optimiser is still empty
        first.update(batch)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    for batch in batches[1:]:
        second.update(batch)
    expected, found = whole.state_dict(), second.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_td3bc_climbs_the_reward_and_bc_does_not() -> None:
    data = bandit(200).with_next_rows()
    cosines = {}
    for kind in ("td3bc", "bc"):
        actor = new_actor(3, 4, hidden=(32,), projection="sphere", seed=0)
        learner: Learner = (
            BC(actor, BCSettings(actor_lr=1e-2))
            if kind == "bc"
            else TD3BC(
                actor,
                TD3BCSettings(
                    alpha=2.5, actor_lr=1e-2, critic_lr=1e-2, critic_hidden=(32,), gamma=0
                ),
                seed=0,
            )
        )
        for step in range(300):
            learner.update(data.sample(np.random.default_rng(step), 64))
        with torch.no_grad():
            cosines[kind] = (actor(torch.from_numpy(data.states))[:, 0] / 2).mean().item()
    assert cosines["td3bc"] > 0.9
    assert abs(cosines["bc"]) < 0.5


def test_with_a_linear_critic_the_actor_does_not_go_where_no_data_are() -> None:
    ways = [[2.0, 0, 0, 0], [0, 2.0, 0, 0]]
    data = episodes(
        [[[0.1 * n, 0, 0]] for n in range(40)],
        [[ways[n % 2]] for n in range(40)],
        [[n % 2] for n in range(40)],
    )
    actor = new_actor(3, 4, hidden=(32,), projection="sphere", seed=0)
    settings = TD3BCSettings(alpha=2.5, actor_lr=1e-2, critic_lr=1e-3, critic_hidden=(), gamma=0)
    learner = TD3BC(actor, settings, seed=0)
    for step in range(300):
        learner.update(data.sample(np.random.default_rng(step), 64))
    with torch.no_grad():
        action = actor(torch.from_numpy(data.states)).mean(0)
    assert action[1] > action[0]
    assert action[2:].norm() < 0.15
