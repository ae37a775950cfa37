"""Training: what it refuses, what it measures, and that stopping changes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.errors import InputError
from simworld.training.actor_init import new_actor
from simworld.training.data.family_splits import split_transitions
from simworld.training.data.fit_normalizer import (
    normalizer_from_states,
    normalizer_from_transitions,
)
from simworld.training.data.returns import episode_starts, monte_carlo_returns
from simworld.training.data.transitions import Transitions
from simworld.training.rl.diagnostics import diagnose, dispersion, draw_diagnostic_batch
from simworld.training.rl.fqe import FQESettings, fitted_q
from simworld.training.rl.networks import TwinCritic
from simworld.training.rl.offline_training import LoopSettings, train_offline
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from simworld.training.trainer import TrainingPosition, TrainingRecorder
from simworld.training.training_state import TrainingFile
from tests.factories.transitions import bandit, episodes

QUICK = FQESettings(steps=3, batch_size=8, hidden=(8,))
SETTINGS = LoopSettings(steps=12, batch_size=16, eval_interval=4, held_out=0.3, fqe=QUICK)
UNSCALED = Normalizer(mean=torch.zeros(1), std=torch.ones(1))


def learner(seed: int = 0) -> TD3BC:
    actor = new_actor(3, 4, hidden=(8,), projection="sphere", seed=seed)
    return TD3BC(actor, TD3BCSettings(critic_hidden=(8,)), seed=seed)


def run(
    data: Transitions,
    settings: LoopSettings = SETTINGS,
    *,
    folder: Path | None = None,
    stop_at: int | None = None,
) -> tuple[TrainingPosition, list[tuple[int, Mapping[str, float]]], dict[str, Tensor]]:
    logged: list[tuple[int, Mapping[str, float]]] = []

    def watch(done: int, total: int, note: str) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    one = learner()
    trained, _ = train_offline(
        one,
        data,
        settings,
        gamma=0.9,
        recorder=TrainingRecorder(
            file=TrainingFile(path=folder / "t.safetensors", identity={}) if folder else None,
            sink=lambda *row: logged.append(row),
            on_progress=watch,
        ),
    )
    return trained, logged, one.state_dict()


def test_an_interrupted_training_ends_bitwise_like_one_in_one_go(tmp_path: Path) -> None:
    whole, logged, state = run(bandit())
    with pytest.raises(KeyboardInterrupt):
        run(bandit(), folder=tmp_path, stop_at=6)  # two steps behind the state that was saved
    resumed, relogged, restate = run(bandit(), folder=tmp_path)
    assert all(torch.equal(state[name], restate[name]) for name in state)
    assert all(
        torch.equal(whole.best_weights[name], resumed.best_weights[name])
        for name in whole.best_weights
    )
    assert (whole.step, whole.best_step, whole.best_metrics) == (
        resumed.step,
        resumed.best_step,
        resumed.best_metrics,
    )
    assert [step for step, _ in logged] == [4, 8, 12]
    assert relogged == logged[1:]


def test_a_finished_training_is_extended_or_left(tmp_path: Path) -> None:
    short = SETTINGS.model_copy(update={"steps": 8})
    run(bandit(), short, folder=tmp_path)
    assert run(bandit(), short, folder=tmp_path)[1] == []
    _, logged, state = run(bandit(), folder=tmp_path)
    assert [step for step, _ in logged] == [12]
    assert all(torch.equal(value, state[name]) for name, value in run(bandit())[2].items())


def test_the_seed_decides_everything() -> None:
    state = torch.get_rng_state()
    first, again = run(bandit())[2], run(bandit())[2]
    other = run(bandit(), SETTINGS.model_copy(update={"seed": 1}))[2]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["actor.net.0.weight"], other["actor.net.0.weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_the_actor_of_the_best_look_is_kept() -> None:
    _, logged, _ = run(bandit())
    values = {step: metrics["held_value"] for step, metrics in logged}
    best = max(values, key=lambda step: values[step])
    trained = run(bandit())[0]
    assert trained.best_step == best
    until = run(bandit(), SETTINGS.model_copy(update={"steps": best}))[2]
    assert all(
        torch.equal(trained.best_weights[name], until[f"actor.{name}"])
        for name in trained.best_weights
    )


def test_an_evaluation_that_ran_away_is_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([math.nan, 1.0, math.nan])
    monkeypatch.setattr(
        "simworld.training.rl.offline_training.fitted_q", lambda *args, **kwargs: next(found)
    )
    assert run(bandit())[0].best_step == 8


def spoilt(field: str, at: int, value: float) -> Transitions:
    data = bandit()
    values = getattr(data, field).copy()
    values[at] = value
    return replace(data, **{field: values})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            spoilt("rewards", 5, np.nan),
            r"1 of 120 transitions have a non-finite reward .* episode e2/ann",
        ),
        (spoilt("actions", 5, np.inf), r"1 of 120 transitions have a non-finite action"),
        (
            replace(bandit(), actions=np.ones((120, 4), np.float32)),
            "all 120 transitions have the same action",
        ),
        (bandit(families=1), "all transitions are of one family, 'family 0'"),
        (bandit().select(np.arange(0)), "the dataset has no transitions"),
        (bandit(10), r"a batch of 16 is more than the \d+ transitions to learn from"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_one_line(
    data: Transitions, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run(data)
    assert len(caught.value.problems) == 1


def test_everything_wrong_is_told_at_once() -> None:
    data = replace(spoilt("rewards", 0, np.nan), actions=np.ones((120, 4), np.float32))
    with pytest.raises(InputError) as caught:
        run(data)
    assert len(caught.value.problems) == 2


def test_one_family_is_enough_without_evaluation() -> None:
    trained, logged, _ = run(bandit(families=1), SETTINGS.model_copy(update={"held_out": 0.0}))
    assert trained.best_step == 12
    assert "held_value" not in logged[-1][1]


def test_families_are_held_out_whole() -> None:
    learning, held = split_transitions(bandit(), held_out=0.3, seed=0)
    assert held is not None
    assert len(np.unique(held.family_index)) == 2  # of six
    assert not set(held.family_index) & set(learning.family_index)
    assert len(held) + len(learning) == 120


CHAIN = episodes(
    [[[0], [1], [2]], [[3], [4], [5]]], [[[1], [2]], [[3], [4]]], [[1, 10], [2, 20]], cut=[1]
)


def test_returns_and_first_rows_of_a_chain() -> None:
    chain = CHAIN.select(np.array([1, 3, 0, 2])).with_next_rows()  # in any order
    assert chain.next_rows is not None
    assert chain.next_rows.tolist() == [-1, -1, 0, 1]
    # the second episode was cut
    np.testing.assert_equal(monte_carlo_returns(chain, 0.5), [10, np.nan, 6, np.nan])
    assert episode_starts(chain).tolist() == [2, 3]


def test_batches_carry_the_next_action_where_one_follows() -> None:
    batch = CHAIN.with_next_rows().batch(np.arange(4))
    assert batch.has_next is not None
    assert batch.next_actions is not None
    assert batch.has_next.tolist() == [1, 0, 1, 0]
    assert batch.next_actions[[0, 2]].tolist() == [[2], [4]]


def test_states_are_scaled_by_those_acted_in() -> None:
    far = replace(CHAIN, states=CHAIN.states + 1e4)
    normalizer = normalizer_from_transitions(far)  # of 0, 1, 3, 4
    torch.testing.assert_close(normalizer.mean, torch.tensor([1e4 + 2.0]))
    torch.testing.assert_close(normalizer.std, torch.tensor([2.5**0.5 + 1e-3]))


def test_a_coordinate_that_hardly_varies_keeps_its_scale_in_cloning() -> None:
    rows = [torch.tensor([0.0, 5.0]), torch.tensor([4.0, 5.0 + 1e-6])]
    normalizer = normalizer_from_states(rows)
    assert normalizer.std.tolist() == [2.0, 1.0]
    torch.testing.assert_close(
        normalizer.standardise(rows[1]), torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0
    )


def constant(value: float) -> Actor:
    actor = Actor(1, 1, hidden=(), projection="box")
    nn.init.zeros_(actor.net[0].weight)  # type: ignore[arg-type]
    nn.init.constant_(actor.net[0].bias, float(np.arctanh(value)))  # type: ignore[arg-type]
    return actor


def test_fitted_q_finds_the_values_of_a_chain() -> None:
    """Two states, 0 then 1. An action a earns a in the first and 2a in the second; so π = v is
    worth v + γ 2v."""
    taken = np.random.default_rng(0).uniform(-1, 1, (150, 2))
    data = episodes(
        [[[0], [1]]] * 150,
        taken[..., None].tolist(),
        (taken * [1, 2]).tolist(),
        families=["a"] * 150,
    ).with_next_rows()
    settings = FQESettings(steps=600, batch_size=64, hidden=(32,), lr=3e-3)
    for value in (0.5, -0.5):
        found = fitted_q(constant(value), data, UNSCALED, settings, gamma=0.9, seed=0)
        assert found == pytest.approx(value + 0.9 * 2 * value, abs=0.1)
        # without a future both acts count, not the first alone: the mean of v and 2v
        found = fitted_q(constant(value), data, UNSCALED, settings, gamma=0, seed=0)
        assert found == pytest.approx(1.5 * value, abs=0.1)


class Known:
    """A learner that has learned already: Q₁(s, a) = a + 1, π(s) = .5."""

    actor = constant(0.5)

    def __init__(self) -> None:
        self.critic = TwinCritic(1, 1, hidden=(), generator=torch.Generator())
        self.critic.weights[0].data = torch.tensor([[[0.0], [1.0]], [[0.0], [1.0]]])
        self.critic.biases[0].data = torch.ones(2, 1, 1)

    def update(self, batch: object) -> dict[str, Tensor]:
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: object) -> None:
        pass


def test_patience_ends_a_training_that_gains_nothing() -> None:
    data = episodes([[[0]], [[1]], [[2]]], [[[0.1]], [[0.2]], [[0.3]]], [[1], [2], [3]])
    settings = SETTINGS.model_copy(update={"steps": 400, "patience": 2, "batch_size": 1})
    trained, _ = train_offline(Known(), data, settings, gamma=0.9)
    assert (trained.best_step, trained.step) == (4, 12)


def test_diagnostics_of_a_known_learner() -> None:
    # actions 1, 2 return 6, 10 at γ = .5 and have values 2, 3; actions 3, 4 have no return
    found = diagnose(
        Known(), draw_diagnostic_batch(CHAIN.with_next_rows(), UNSCALED, gamma=0.5, seed=0)
    )
    assert found["bc_distance"] == pytest.approx((0.25 + 2.25 + 6.25 + 12.25) / 4)
    assert found["action_shift"] == pytest.approx((2.5 - 0.5) / 1.25**0.5)
    assert found["action_dispersion"] == pytest.approx(0, abs=1e-6)
    assert found["mean_abs_q"] == pytest.approx(1.5)
    assert found["q_bias"] == pytest.approx((2 - 6 + 3 - 10) / 2)
    assert found["q_correlation"] == pytest.approx(1)


def test_dispersion() -> None:
    assert dispersion(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])) == 1
    assert dispersion(torch.tensor([[1.0, 0.0], [0.0, 1.0]])) == pytest.approx(0.5)
    assert dispersion(torch.zeros(2, 2)) == 0
