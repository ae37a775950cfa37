"""IQL and AWAC: their formulas against torchrl and numpy on one batch, and by hand; what they
learn, and that they go on bitwise.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.steering.planner import Actor
from simworld.training.actor_init import new_actor
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.awac import AWAC, AWACSettings
from simworld.training.rl.iql import IQL, IQLSettings, expectile_loss
from simworld.training.rl.networks import Critic, TwinCritic
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import bilinear_regression
from simworld.training.rl.state_values import LinearValue, PerceptronValue
from simworld.training.rl.td3bc import critic_loss
from simworld.training.rl.train_planner import TrainingData, train_planner
from simworld.training.rl.weighted_regression import advantage_weights, weighted_actor_loss
from tests.factories.transitions import bandit
from tests.simworld.training.rl.test_ridge import ASK, THANK, turn_by_turn
from tests.simworld.training.rl.test_td3bc import load_actor, load_critic, perceptrons
from tests.simworld.training.rl.test_train_planner import start

REFERENCE = Path(__file__).parent.parent / "data" / "advantage_reference.npz"
close = partial(torch.testing.assert_close, atol=1e-5, rtol=1e-5)
SETTINGS: dict[str, Any] = {"beta": 3.0, "critic_hidden": (16, 16)}
Advantage = IQL | AWAC


@pytest.fixture(scope="module")
def reference() -> dict[str, Tensor]:
    with np.load(REFERENCE, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays if name != "versions"}


@pytest.fixture
def batch(reference: dict[str, Tensor]) -> TransitionBatch:
    names = ("state", "action", "reward", "next_state", "terminal")
    return TransitionBatch(**{f"{name}s": reference[name] for name in names})


def load(learner: Advantage, reference: dict[str, Tensor]) -> None:
    load_actor(learner.actor, "actor", reference)
    load_critic(perceptrons(learner.critic), "critic", reference)
    load_critic(perceptrons(learner.target_critic), "target_critic", reference)


@pytest.fixture
def iql(reference: dict[str, Tensor]) -> IQL:
    made = IQL(Actor(5, 3, hidden=(16, 16), projection="box"), IQLSettings(**SETTINGS), seed=0)
    load(made, reference)
    made.value.load_state_dict(
        {f"net.{name}": reference[f"value.{name}"] for name in layer_names()}
    )
    return made


@pytest.fixture
def awac(reference: dict[str, Tensor]) -> AWAC:
    made = AWAC(Actor(5, 3, hidden=(16, 16), projection="box"), AWACSettings(**SETTINGS), seed=0)
    load(made, reference)
    return made


def layer_names() -> list[str]:
    return [f"{layer}.{part}" for layer in (0, 2, 4) for part in ("weight", "bias")]


def check_module(module: nn.Module, name: str, reference: dict[str, Tensor]) -> None:
    """Its gradients are those of the reference."""
    found = {key.removeprefix("net."): part.grad for key, part in module.named_parameters()}
    assert sorted(found) == sorted(layer_names())
    for key, gradient in found.items():
        close(gradient, reference[f"grad.{name}.{key}"])


def check_critic(critic: Critic, name: str, reference: dict[str, Tensor]) -> None:
    twins = perceptrons(critic)
    for layer, number in enumerate((0, 2, 4)):
        weight, bias = twins.weights[layer].grad, twins.biases[layer].grad
        assert weight is not None
        assert bias is not None
        close(weight.mT, reference[f"grad.{name}.{number}.weight"])
        close(bias[:, 0], reference[f"grad.{name}.{number}.bias"])


def check_actor(
    learner: Advantage, batch: TransitionBatch, name: str, reference: dict[str, Tensor]
) -> None:
    advantages = learner.advantages(batch).detach()
    close(advantages, reference[f"{name}.advantage"])
    weights = advantage_weights(advantages, 3.0)
    assert (weights == 100).any()  # so that cutting is compared too
    loss, parts = weighted_actor_loss(learner.actor, batch, weights)
    close(loss.detach(), reference[f"loss.{name}.actor"])
    assert parts["mean_weight"].item() == pytest.approx(weights.mean().item())
    loss.backward()  # type: ignore[no-untyped-call]
    check_module(learner.actor, f"{name}.actor", reference)


def test_iqls_losses_and_gradients_equal_torchrls(
    iql: IQL, batch: TransitionBatch, reference: dict[str, Tensor]
) -> None:
    loss = expectile_loss(iql.advantages(batch), 0.7)
    close(loss.detach(), reference["loss.iql.value"])
    loss.backward()  # type: ignore[no-untyped-call]
    check_module(iql.value, "iql.value", reference)
    assert all(part.grad is None for part in iql.target_critic.parameters())
    loss = critic_loss(iql.critic, batch, iql.td_target(batch))
    close(loss.detach(), reference["loss.iql.critic"])
    loss.backward()  # type: ignore[no-untyped-call]
    check_critic(iql.critic, "iql.critic", reference)
    check_actor(iql, batch, "iql", reference)


def test_awacs_losses_and_gradients_equal_numpys(
    awac: AWAC, batch: TransitionBatch, reference: dict[str, Tensor]
) -> None:
    targets = awac.td_target(batch)
    close(targets, reference["awac.target"])
    loss = critic_loss(awac.critic, batch, targets)
    close(loss.detach(), reference["loss.awac.critic"])
    loss.backward()  # type: ignore[no-untyped-call]
    check_critic(awac.critic, "awac.critic", reference)
    check_actor(awac, batch, "awac", reference)


def test_weights_and_expectiles_by_hand() -> None:
    assert advantage_weights(torch.tensor([0.0, -1.0, 9.0, 1e9]), 2.0).tolist() == pytest.approx(
        [1, np.exp(-2), 100, 100]
    )
    # .7 · 4 above, .3 · 9 below
    assert expectile_loss(torch.tensor([2.0, -3.0]), 0.7).item() == pytest.approx((2.8 + 2.7) / 2)
    actor = Actor(1, 2, hidden=(), projection="box")
    nn.init.zeros_(actor.net[0].weight)  # type: ignore[arg-type]
    nn.init.zeros_(actor.net[0].bias)  # type: ignore[arg-type]
    two = TransitionBatch(
        states=torch.zeros(2, 1),
        actions=torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
        rewards=torch.zeros(2),
        next_states=torch.zeros(2, 1),
        terminals=torch.ones(2),
    )
    # squared distances .5 and 1, the second counts four times
    loss, parts = weighted_actor_loss(actor, two, torch.tensor([1.0, 4.0]))
    assert loss.item() == pytest.approx((0.5 + 4) / 2)
    assert parts["bc_distance"].item() == pytest.approx(0.75)


def learner(kind: str, critic: Critic | None = None) -> Advantage:
    actor = new_actor(3, 4, hidden=(8,), projection="sphere", seed=0)
    given: dict[str, Any] = {"critic_hidden": (8,), "layer_norm": True} if critic is None else {}
    if kind == "iql":
        return IQL(actor, IQLSettings(**given), seed=3, critic=critic)
    return AWAC(actor, AWACSettings(**given), seed=3, critic=critic)


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("kind", ["iql", "awac"])
def test_a_loaded_state_goes_on_bitwise(kind: str, bilinear: bool) -> None:
    data = bandit().with_next_rows()
    normalizer = normalizer_from_transitions(data)

    def made() -> Advantage:
        if not bilinear:
            return learner(kind)
        regression = bilinear_regression(data, normalizer, gamma=0.5, seed=1)
        return learner(kind, regression.critic(seed=1))

    batches = [data.sample(np.random.default_rng(step), 16) for step in range(6)]
    whole, first, second = made(), made(), made()
    for one in batches:
        whole.update(one)
    for one in batches[:2]:
        first.update(one)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    for one in batches[2:]:
        second.update(one)
    expected, found = whole.state_dict(), second.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("kind", ["iql", "awac"])
def test_target_networks_follow_and_nothing_else_of_them_moves(kind: str) -> None:
    one = learner(kind)
    slow = perceptrons(one.target_critic).weights[0]
    before = slow.detach().clone()
    metrics = one.update(bandit().sample(np.random.default_rng(0), 16))
    weights = perceptrons(one.critic).weights[0]
    torch.testing.assert_close(slow, before + 0.005 * (weights - before))
    told = {"critic_loss", "actor_loss", "bc_distance", "mean_weight"}
    assert set(metrics) == told | ({"value_loss"} if kind == "iql" else set())
    assert not any(value.requires_grad for value in metrics.values())


def test_the_value_of_states_begins_at_the_mean_action_of_a_bilinear_critic() -> None:
    data = turn_by_turn(pays_later=True).with_next_rows()
    normalizer = normalizer_from_transitions(data)
    regression = bilinear_regression(data, normalizer, gamma=0.9, seed=1)
    critic = regression.critic(seed=2)
    actor = regression.actor(regression.fit())
    made = IQL(actor, IQLSettings(critic="bilinear"), seed=0, critic=critic)
    assert isinstance(made.value, LinearValue)
    some = data.sample(np.random.default_rng(0), 32).standardised(normalizer)
    with torch.no_grad():
        at_mean = critic(some.states, critic.mean_action.expand(32, -1)).mean(0)
        torch.testing.assert_close(made.value(some.states), at_mean)
        held = (made.value.weights.square() * critic.penalties[0]).sum()
    torch.testing.assert_close(made.value.penalty().detach(), held)
    assert held > 0


def test_first_weights_come_from_the_seed_alone() -> None:
    def value(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        made = PerceptronValue(3, hidden=(5,), generator=rng)
        return torch.cat([part.flatten() for part in made.parameters()])

    state = torch.get_rng_state()
    assert torch.equal(value(1), value(1))
    assert not torch.equal(value(1), value(2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("kind", ["iql", "awac"])
def test_with_a_bilinear_critic_they_learn_what_to_do_when_and_what_pays_later(
    kind: str, hidden: tuple[int, ...]
) -> None:
    data = TrainingData(
        transitions=turn_by_turn(pays_later=True), encoder_id="e1", provenance={"sha256": "abc"}
    )
    settings = PlannerSettings.model_validate(
        {
            "learner": kind,
            "hidden": hidden,
            kind: {"critic": "bilinear", "gamma": 0.9, "actor_rate": 5e-3, "beta": 3.0},
            "loop": {"steps": 300, "batch_size": 64, "every": 300, "held_out": 0},
        }
    )
    planner = train_planner(data, start(actor=False, d_action=3), settings)
    assert train_planner(data, start(actor=False, d_action=3), settings).id == planner.id
    actions = planner.choose_actions(torch.from_numpy(data.transitions.states)).double().numpy()
    first, second = (actions[n::2].mean(0) for n in (0, 1))
    assert first @ ASK / 3 > 0.7
    assert second @ THANK / 3 > 0.7


@pytest.mark.parametrize("kind", ["iql", "awac"])
def test_they_climb_the_reward(kind: str) -> None:
    data = bandit(200).with_next_rows()
    actor = new_actor(3, 4, hidden=(32,), projection="sphere", seed=0)
    given: dict[str, Any] = {
        "actor_lr": 1e-2, "critic_lr": 1e-2, "critic_hidden": (32,), "gamma": 0, "beta": 5.0,
    }  # fmt: skip
    made = (
        IQL(actor, IQLSettings(**given), seed=0)
        if kind == "iql"
        else AWAC(actor, AWACSettings(**given), seed=0)
    )
    assert isinstance(made.critic, TwinCritic)
    for step in range(300):
        made.update(data.sample(np.random.default_rng(step), 64))
    with torch.no_grad():
        assert (actor(torch.from_numpy(data.states))[:, 0] / 2).mean().item() > 0.8
