"""Whether families agree about what goes with rewards."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simworld.training.data.family_agreement import agreement_p

FAMILY = np.repeat(np.arange(12), 2)
X = torch.tensor([-1.0, 1.0]).repeat(12)[:, None]


def test_families_that_agree_and_families_that_do_not() -> None:
    same = np.tile([-1.0, 1.0], 12)
    # only if all or none are exchanged, 2 of 4,096 permutations, do they agree so well
    assert agreement_p(X, same, FAMILY) == 1 / 200
    # six say the opposite of six: Σ over pairs is as small as it can be, and all do as well
    opposite = same * np.repeat([1.0, -1.0], 12)
    assert agreement_p(X, opposite, FAMILY) == 1
    # what is another level in each family alone says nothing
    assert agreement_p(X, np.repeat(np.arange(12.0), 2), FAMILY) == 1


def test_a_product_is_seen_where_neither_factor_says_anything() -> None:
    by = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]]).repeat(12, 1)
    x = torch.tensor([[-1.0], [-1.0], [1.0], [1.0]]).repeat(12, 1)
    family = np.repeat(np.arange(12), 4)
    rewards = (by * x).numpy().ravel().astype(np.float64)
    assert agreement_p(x, rewards, family) > 0.3
    assert agreement_p(by, rewards, family) > 0.3
    assert agreement_p(x, rewards, family, by=by) == 1 / 200


def test_luck_is_found_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    family = np.repeat(np.arange(10), 8)
    found = [
        agreement_p(torch.randn(80, 5, generator=torch.Generator().manual_seed(seed)),
                    rng.normal(size=80), family, rounds=19, seed=seed)
        for seed in range(200)
    ]  # fmt: skip
    assert np.mean(np.array(found) <= 0.25) == pytest.approx(0.25, abs=0.08)
