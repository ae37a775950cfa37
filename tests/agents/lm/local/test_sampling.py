from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.lm.local.sampling import log_likelihood, sample_tokens
from simworld.core.requests import Sampling
from simworld.core.seeding import make_rng

# Probabilities .4, .1, .3, .2 in token-id order; their cumulated sums are .4, .5, .8, 1.
FOUR = torch.tensor([[0.4, 0.1, 0.3, 0.2]], dtype=torch.float64).log().float()


def draw(logits: torch.Tensor, u: float, seen: list[int] | None = None, **setting: Any) -> int:
    token, _ = sample_tokens(
        logits,
        [Sampling(**{"temperature": 1.0, **setting})],
        torch.tensor([u], dtype=torch.float64),
        None if seen is None else [torch.tensor(seen)],
    )
    return int(token[0])


@pytest.mark.parametrize(
    ("u", "token"),
    [
        (0.0, 0),
        (0.399, 0),
        (0.401, 1),
        (0.499, 1),
        (0.501, 2),
        (0.799, 2),
        (0.801, 3),
        (0.999999, 3),
    ],
)
def test_the_inverse_distribution_function_runs_in_token_id_order(u: float, token: int) -> None:
    assert draw(FOUR, u) == token


@pytest.mark.parametrize(
    ("setting", "u", "token"),
    [
        # top-k 2 keeps ids 0 (.4) and 2 (.3): shares 4/7 = .571, 3/7
        ({"top_k": 2}, 0.57, 0),
        ({"top_k": 2}, 0.572, 2),
        # min-p .6 keeps what has at least .6 * .4 = .24: ids 0 and 2 again
        ({"min_p": 0.6}, 0.57, 0),
        ({"min_p": 0.6}, 0.572, 2),
        # top-p .75: .4 + .3 < .75, so id 3 completes it: .4/.9 = .444, .7/.9 = .778
        ({"top_p": 0.75}, 0.444, 0),
        ({"top_p": 0.75}, 0.445, 2),
        ({"top_p": 0.75}, 0.777, 2),
        ({"top_p": 0.75}, 0.779, 3),
        # top-k 3 first: .4, .3, .2 of .9; then top-p .7 of what is left: .444 + .333 >= .7 keeps
        # ids 0 and 2
        ({"top_k": 3, "top_p": 0.7}, 0.57, 0),
        ({"top_k": 3, "top_p": 0.7}, 0.572, 2),
        # temperature .5 squares: .16, .01, .09, .04 of .30: .533, .567, .867
        ({"temperature": 0.5}, 0.532, 0),
        ({"temperature": 0.5}, 0.55, 1),
        ({"temperature": 0.5}, 0.57, 2),
        ({"temperature": 0.5}, 0.868, 3),
        # temperature comes before min-p: .09 >= .5 * .16, .04 is not
        ({"temperature": 0.5, "min_p": 0.5}, 0.639, 0),
        ({"temperature": 0.5, "min_p": 0.5}, 0.641, 2),
        ({"temperature": 0.0}, 0.9, 0),
        ({"top_k": 1}, 0.9, 0),
        ({"top_p": 0.01}, 0.9, 0),
    ],
)
def test_cuts_worked_out_by_hand(setting: dict[str, Any], u: float, token: int) -> None:
    assert draw(FOUR, u, **setting) == token


def test_repetition_penalty_divides_positive_and_multiplies_negative_logits() -> None:
    logits = torch.tensor([[2.0, 1.5, -1.0]])
    # 2 / 1.2 = 1.67 > 1.5
    assert draw(logits, 0.0, temperature=0.0, repetition_penalty=1.2, seen=[0]) == 0
    # 2 / 1.5 = 1.33 < 1.5
    assert draw(logits, 0.0, temperature=0.0, repetition_penalty=1.5, seen=[0]) == 1
    # seen often counts once
    assert draw(logits, 0.0, temperature=0.0, repetition_penalty=1.5, seen=[0, 0, 0]) == 1
    negative = torch.tensor([[-1.0, -1.5, -9.0]])
    # -1 * 2 = -2 < -1.5
    assert draw(negative, 0.0, temperature=0.0, repetition_penalty=2.0, seen=[0]) == 1


def test_a_penalty_without_the_seen_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="seen so far"):
        draw(FOUR, 0.5, repetition_penalty=1.1)


def test_the_log_probability_is_the_raw_models() -> None:
    _, logprob = sample_tokens(
        FOUR,
        [Sampling(temperature=0.3, top_k=2, repetition_penalty=1.3)],
        torch.zeros(1).double(),
        [torch.tensor([0])],
    )
    assert float(logprob[0]) == pytest.approx(math.log(0.4), abs=1e-6)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rows = torch.randn(40, 500, generator=torch.Generator().manual_seed(3)) * 3
    mixed = [
        Sampling(temperature=t, top_k=k, top_p=p, min_p=m)
        for t in (0.0, 0.7)
        for k in (0, 1, 5, 499, 9999)
        for p in (0.5, 1.0)
        for m in (0.0, 0.1)
    ]
    us = torch.tensor(make_rng(5).random(40))
    together, logprobs = sample_tokens(rows, mixed, us)
    for i in range(40):
        alone, logprob = sample_tokens(rows[i : i + 1], mixed[i : i + 1], us[i : i + 1])
        assert int(alone[0]) == int(together[i])
        assert float(logprob[0]) == pytest.approx(float(logprobs[i]), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    temperature=st.floats(0.2, 2),
    top_k=st.integers(0, 40),
    top_p=st.floats(0.05, 1),
    min_p=st.floats(0, 0.5),
    coarse=st.booleans(),
)
def test_it_agrees_with_a_plain_definition(
    seed: int, temperature: float, top_k: int, top_p: float, min_p: float, coarse: bool
) -> None:
    rng = make_rng(seed)
    logits = rng.normal(size=120) * 2
    if coarse:
        logits = logits.round()  # many ties
    u = float(rng.random())
    row = torch.tensor(logits).float()
    token = draw(row[None], u, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    assert token == plain(row.double(), u, temperature, top_k, top_p, min_p)


def plain(
    row: torch.Tensor, u: float, temperature: float, top_k: int, top_p: float, min_p: float
) -> int:
    """The definition, one token after the other; ties with the last kept token stay."""
    weight = {i: math.exp((float(x) - float(row.max())) / temperature) for i, x in enumerate(row)}
    if top_k == 1:
        return int(row.argmax())
    if top_k:
        last = sorted(weight.values(), reverse=True)[top_k - 1]
        weight = {i: w for i, w in weight.items() if w >= last}
    weight = {i: w for i, w in weight.items() if w >= min_p}
    mass, last, total = 0.0, 0.0, sum(weight.values())
    for w in sorted(weight.values(), reverse=True):
        mass, last = mass + w, w
        if mass >= top_p * total * (1 - 1e-12):
            break
    weight = {i: w for i, w in weight.items() if w >= last}
    goal = u * sum(weight.values())
    mass = 0.0
    for i in sorted(weight):
        mass += weight[i]
        if mass > goal:
            return i
    return max(weight)


def test_frequencies_match_the_exact_probabilities() -> None:
    # 20,000 draws; chi-square with 3 degrees of freedom stays under 16.27 in 999 of 1,000 runs, and
    # the seed is fixed.
    n = 20_000
    us = torch.tensor(make_rng(11).random(n))
    tokens, _ = sample_tokens(FOUR.expand(n, 4), [Sampling(temperature=1.0)] * n, us)
    counts = torch.bincount(tokens, minlength=4).double()
    expected = n * torch.tensor([0.4, 0.1, 0.3, 0.2]).double()
    assert float(((counts - expected) ** 2 / expected).sum()) < 16.27


def test_many_ties_beyond_the_candidates_are_all_kept() -> None:
    flat = torch.zeros(1, 1000)  # top-k 5 of a flat row: every token ties with the fifth
    assert draw(flat, 0.9995, top_k=5) == 999


def test_a_row_that_is_not_finite_gives_nan_and_spares_the_others() -> None:
    rows = torch.stack([FOUR[0], torch.full((4,), torch.nan)])
    for setting in (
        Sampling(temperature=1.0),
        Sampling(temperature=1.0, top_k=2),
        Sampling(temperature=0.0),
    ):
        tokens, logprobs = sample_tokens(rows, [setting] * 2, torch.tensor([0.0, 0.5]).double())
        assert int(tokens[0]) == 0
        assert math.isnan(float(logprobs[1]))


@pytest.mark.parametrize(
    ("setting", "seen", "token", "share"),
    [
        ({}, [], 1, 0.1),
        ({"top_k": 2}, [], 2, 3 / 7),  # of .4 and .3
        ({"top_p": 0.65}, [], 2, 3 / 7),
        ({"min_p": 0.6}, [], 0, 4 / 7),
        ({"temperature": 0.5}, [], 3, 0.04 / 0.30),  # squares: .16, .01, .09, .04
        ({"repetition_penalty": 2.0}, [0], 0, 0.16 / 0.76),  # .4 squared, for its logit is below 0
        ({"top_k": 2, "repetition_penalty": 2.0}, [0], 3, 0.4),  # .3 and .2 are left
        ({"top_k": 1}, [], 1, 0.2),  # outside the cut, kept beside .4
    ],
)
def test_the_likelihood_of_a_token_is_that_of_drawing_it(
    setting: dict[str, Any], seen: list[int], token: int, share: float
) -> None:
    at = Sampling(**{"temperature": 1.0, **setting})
    found = log_likelihood(FOUR, torch.tensor([token]), at, [torch.tensor(seen, dtype=torch.int64)])
    assert found.exp().item() == pytest.approx(share, rel=1e-5)


def test_the_likelihoods_of_a_draw_have_no_slope_on_the_mean() -> None:
    logits = FOUR.expand(4, -1).clone().requires_grad_(True)
    setting = Sampling(temperature=0.7, top_k=3, repetition_penalty=1.5)
    seen = [torch.tensor([2])] * 4
    found = log_likelihood(logits, torch.arange(4), setting, seen)
    slopes = torch.autograd.grad(found.sum(), logits)[0]  # a row for each token
    drawn = torch.tensor(
        [
            draw(FOUR, (i + 0.5) / 2000, [2], temperature=0.7, top_k=3, repetition_penalty=1.5)
            for i in range(2000)
        ]
    )
    shares = torch.bincount(drawn, minlength=4) / 2000
    assert shares[1] == 0  # cut off
    torch.testing.assert_close((shares[:, None] * slopes).sum(0), torch.zeros(4), atol=2e-3, rtol=0)
