"""Bilinear values in closed form: against kernel ridge regression, and on tasks with and without an
interaction."""

import numpy as np
import pytest
import torch
from torch import Tensor

from simworld.training.rl.bilinear_fit import (
    BilinearData,
    BilinearPenalty,
    bilinear_data,
    bilinear_values,
    choose_penalty,
    family_folds,
    fit_bilinear,
    state_features,
)
from tests.factories.transitions import directions

NEVER = float("inf")


def made(count: int = 240, *, d_state: int = 6, d_action: int = 5, seed: int = 0) -> BilinearData:
    rng = np.random.default_rng(seed)
    states = torch.from_numpy(rng.normal(size=(count, d_state)).astype(np.float32))
    actions = torch.from_numpy(directions(count, d_action, rng))
    family = np.arange(count) % 12
    return bilinear_data(state_features(states), actions, actions.mean(0), family)


def noise(count: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=count).astype(np.float32))


def test_turns_left_count_as_much_as_all_other_numbers_together() -> None:
    features = state_features(torch.tensor([[2.0, 4.0, -2.0, 6.0, 3.0]]))
    assert features.tolist() == [[1.0, 2.0, -1.0, 3.0, 3.0]]


def test_with_one_penalty_it_is_kernel_ridge_regression() -> None:
    data = made(80)
    targets = noise(80)
    weights = fit_bilinear(data, targets, BilinearPenalty(single=2.0, product=2.0))
    features, actions = data.features.double().numpy(), data.actions.double().numpy()
    # the level is almost free there; a kernel's constant part of 2 / .001 says the same
    kernel = (1 + features @ features.T) * (1 + actions @ actions.T) - 1 + 2.0 / 1e-3
    dual = np.linalg.solve(kernel + 2.0 * np.eye(80), targets.double().numpy())
    assert bilinear_values(weights, data).numpy() == pytest.approx(kernel @ dual, abs=5e-3)


def test_a_fit_nearby_is_a_start_and_no_more() -> None:
    data, targets = made(), noise(240)
    penalty = BilinearPenalty(single=5.0, product=20.0)
    near = fit_bilinear(data, targets, BilinearPenalty(single=8.0, product=30.0))
    fresh, begun = fit_bilinear(data, targets, penalty), fit_bilinear(data, targets, penalty, near)
    assert torch.allclose(fresh, begun, atol=3e-3)


def test_actions_in_few_dimensions_are_fitted_in_those() -> None:
    rng = np.random.default_rng(3)
    ways = torch.from_numpy(directions(4, 9, rng))
    actions = ways[torch.from_numpy(rng.integers(4, size=200))]
    states = torch.from_numpy(rng.normal(size=(200, 3)).astype(np.float32))
    family, mean = np.arange(200) % 10, actions.mean(0)
    data = bilinear_data(states, actions, mean, family)
    assert data.actions.shape == (200, 3)  # four points lie in three dimensions around their mean
    assert torch.allclose(data.actions @ data.basis.T, (actions - mean) / 3, atol=1e-5)
    whole = BilinearData(
        features=states, actions=(actions - mean) / 3, family=family, basis=torch.eye(9)
    )
    penalty = BilinearPenalty(single=1.0, product=3.0)
    targets = noise(200)
    few = bilinear_values(fit_bilinear(data, targets, penalty), data)
    assert torch.allclose(
        few, bilinear_values(fit_bilinear(whole, targets, penalty), whole), atol=2e-3
    )


@pytest.mark.parametrize("meet", [True, False])
def test_the_product_is_kept_where_it_foretells_unseen_families(meet: bool) -> None:
    data = made(960)
    signal = data.actions[:, 0] * (data.features[:, -1] if meet else 1.0)
    choice = choose_penalty(data, 2 * signal + noise(960), seed=0)
    if meet:
        assert choice.r2 > choice.r2_without_product + 0.1
        weights = fit_bilinear(data, 2 * signal + noise(960), choice.penalty)
        product = weights[1:, 1:]
        # the largest weight is that of the two numbers that meet
        assert int(product.abs().argmax()) == product.shape[1] - 1
    else:
        assert choice.r2 > 0.1
        assert choice.r2 == pytest.approx(choice.r2_without_product, abs=0.01)


def test_without_a_product_state_and_action_do_not_meet() -> None:
    weights = fit_bilinear(made(), noise(240), BilinearPenalty(single=1.0, product=NEVER))
    assert not weights[1:, 1:].any()
    assert weights[0].any()
    assert weights[1:, 0].any()


def test_folds_are_of_whole_families_and_cover_all() -> None:
    family = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5])
    folds = list(family_folds(family, 5, seed=1))
    assert len(folds) == 5
    assert np.sum(folds, axis=0).tolist() == [1] * len(family)
    for mask in folds:
        assert not set(family[mask]) & set(family[~mask])
    assert len(list(family_folds(np.array([0, 0, 1]), 5, seed=1))) == 2
