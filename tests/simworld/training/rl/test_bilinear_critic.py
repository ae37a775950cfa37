"""The bilinear critic: its values and gradients by hand, and TD3+BC that begins at a regression."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.steering.planner import Actor
from simworld.core.arrays import Floats
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.bilinear_critic import BilinearCritic
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import bilinear_regression
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings, actor_loss, critic_loss
from simworld.training.rl.train_planner import TrainingData, train_planner
from tests.simworld.training.rl.test_ridge import ASK, THANK, turn_by_turn
from tests.simworld.training.rl.test_train_planner import start

# One state number and the turns left; four action numbers, so α = (a − ā) / 2.
MEAN = torch.tensor([1.0, 0.0, 0.0, 0.0])
WEIGHTS = torch.zeros(2, 5, 3)
WEIGHTS[0, 0] = torch.tensor([0.5, 2.0, 0.0])  # c and u
WEIGHTS[0, 2] = torch.tensor([1.0, 3.0, -1.0])  # of a₂: w, and M by state and turns left
WEIGHTS[1, 0, 0] = 7.0
STATE, ACTION = torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, 4.0, 0.0, 0.0]])
PENALTIES = torch.full((5, 3), 0.25)


def critic() -> BilinearCritic:
    return BilinearCritic(WEIGHTS, MEAN, PENALTIES)


def test_values_by_hand() -> None:
    # c + u s = .5 + 4; α₂ = 2 and w + M (s, τ) = 1 + 6 − 1
    assert critic()(STATE, ACTION).tolist() == [[4.5 + 12.0], [7.0]]
    assert critic().q1(STATE, ACTION).tolist() == [16.5]
    value, size = critic().actor_value(torch.cat((STATE, -STATE)), ACTION.expand(2, -1))
    assert value.tolist() == [12.0, 2 * (1 - 6 + 1)]
    assert size.item() == (12 + 8) / 2
    # squares: .25 + 4 + 1 + 9 + 1 and 49, a quarter of each
    assert critic().penalty().item() == pytest.approx((15.25 + 49) / 4)


def test_the_actor_climbs_the_advantage_and_the_values_do_not_swamp_lambda() -> None:
    actor = Actor(2, 4, hidden=(), projection="sphere")
    batch = TransitionBatch(
        states=STATE, actions=ACTION, rewards=torch.ones(1), next_states=STATE,
        terminals=torch.ones(1),
    )  # fmt: skip
    one = critic()
    _, metrics = actor_loss(actor, one, batch, alpha=3.0)
    (value,), size = one.actor_value(STATE, actor(STATE))
    assert metrics["lambda"].item() == pytest.approx(3.0 / size.item(), rel=1e-5)
    other = WEIGHTS.clone()
    other[0, 0] *= 100
    _, again = actor_loss(actor, BilinearCritic(other, MEAN, PENALTIES), batch, alpha=3.0)
    assert {n: v.item() for n, v in again.items()} == {n: v.item() for n, v in metrics.items()}
    assert value.requires_grad
    loss = critic_loss(one, batch, torch.zeros(1))
    assert loss.item() == pytest.approx(16.5**2 + 49)


def test_a_critic_step_holds_the_weights_down() -> None:
    batch = TransitionBatch(
        states=STATE, actions=ACTION, rewards=torch.tensor([16.5]), next_states=STATE,
        terminals=torch.ones(1),
    )  # fmt: skip
    held = BilinearCritic(WEIGHTS, MEAN, torch.ones(5, 3))
    learner = TD3BC(
        Actor(2, 4, hidden=(), projection="sphere"), TD3BCSettings(), seed=0, critic=held
    )
    before = held.weights.detach().clone()
    learner.update(batch)
    # Q₁ is right already, so its weights move by their penalty alone: towards nothing
    moved = held.weights.detach()[0].abs() - before[0].abs()
    assert (moved[before[0] != 0] < 0).all()
    assert not moved[before[0] == 0].any()


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return TrainingData(
        transitions=turn_by_turn(pays_later=True), encoder_id="e1", provenance={"sha256": "abc"}
    )


def settings(gamma: float, *, hidden: tuple[int, ...] = (), steps: int = 60) -> PlannerSettings:
    return PlannerSettings(
        hidden=hidden,
        td3bc=TD3BCSettings(critic="bilinear", gamma=gamma, actor_lr=5e-3, alpha=2.5),
        # without held-out families the last actor is the result
        loop=LoopSettings(steps=steps, batch_size=64, eval_interval=steps, held_out=0),
    )


def first_and_second(data: TrainingData, chosen: PlannerSettings) -> tuple[Floats, Floats]:
    planner = train_planner(data, start(actor=False, d_action=3), chosen)
    states = torch.from_numpy(data.transitions.states)
    actions = planner.choose_actions(states).double().numpy()
    first, second = (actions[n::2].mean(0) for n in (0, 1))
    return first, second


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_it_learns_what_to_do_when_and_what_pays_later(
    data: TrainingData, hidden: tuple[int, ...]
) -> None:
    steps = 60 if not hidden else 300
    first, second = first_and_second(data, settings(0.9, hidden=hidden, steps=steps))
    assert first @ ASK / 3 > 0.7
    assert second @ THANK / 3 > 0.7
    blind, _ = first_and_second(data, settings(0.0))
    assert abs(blind @ ASK / 3) < 0.6


def test_twins_differ_and_training_is_the_same_each_time(data: TrainingData) -> None:
    transitions = data.transitions.with_next_rows()
    normalizer = normalizer_from_transitions(transitions)
    regression = bilinear_regression(transitions, normalizer, gamma=0.5, seed=1)
    one, other = regression.critic(seed=3).weights.detach()
    assert (one - other).abs().max() > 0.01
    assert torch.equal(regression.critic(seed=3).weights, regression.critic(seed=3).weights)
    again = [train_planner(data, start(actor=False, d_action=3), settings(0.5)).id for _ in (0, 1)]
    assert again[0] == again[1]


def test_a_learner_goes_on_from_its_state(data: TrainingData) -> None:
    transitions = data.transitions.with_next_rows()
    normalizer = normalizer_from_transitions(transitions)
    regression = bilinear_regression(transitions, normalizer, gamma=0.5, seed=1)
    rng = np.random.default_rng(0)
    batches = [transitions.sample(rng, 32).standardised(normalizer) for _ in range(6)]

    def learner() -> TD3BC:
        chosen = TD3BCSettings(critic="bilinear", gamma=0.5)
        actor = regression.actor(regression.fit())
        return TD3BC(actor, chosen, seed=2, critic=regression.critic(seed=2))

    def state(of: TD3BC) -> Mapping[str, Tensor]:
        return {name: tensor.clone() for name, tensor in of.state_dict().items()}

    whole, first, second = learner(), learner(), learner()
    for batch in batches:
        whole.update(batch)
    for batch in batches[:3]:
        first.update(batch)
    second.load_state_dict(state(first))
    for batch in batches[3:]:
        second.update(batch)
    expected, found = state(whole), state(second)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_settings_of_the_usual_critic_are_written_as_before() -> None:
    assert "critic" not in TD3BCSettings().model_dump(mode="json")
    assert TD3BCSettings(critic="bilinear").model_dump(mode="json")["critic"] == "bilinear"


def test_settings_of_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="no layers; remove critic_hidden and layer_norm"):
        TD3BCSettings(critic="bilinear", critic_hidden=(4,), layer_norm=True)
