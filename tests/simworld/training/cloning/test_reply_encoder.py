"""Codes of replies, and what they say of their words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simworld.core.errors import InputError
from simworld.training.cloning.reply_encoder import (
    add_measures,
    centre_by_family,
    cluster_codes,
    codes_along_measures,
    fit_code_directions,
    fit_measure_scale,
    fit_reply_encoder,
    size_problem,
)


def test_rows_are_centred_by_family() -> None:
    rows = np.array([[1.0], [3.0], [10.0], [20.0]])
    assert centre_by_family(rows, ["a", "a", "b", "b"]).tolist() == [[-1.0], [1.0], [-5.0], [5.0]]


def test_a_code_tells_replies_of_a_family_apart_and_has_the_length_of_an_action() -> None:
    # Two families far apart; within both, replies differ along the first number by 4 and along the
    # second by 1.
    base = np.array([[2.0, 0.5], [2.0, -0.5], [-2.0, 0.5], [-2.0, -0.5]])
    embeddings = np.concatenate([base, base + 100])
    families = ["a"] * 4 + ["b"] * 4
    found = fit_reply_encoder(embeddings, families, 2)
    assert np.abs(found.axes).tolist() == [[1, 0], [0, 1]]
    assert found.scale.tolist() == pytest.approx([2**0.5, 0.5**0.5])
    codes = found.encode(embeddings, families)
    torch.testing.assert_close(codes.norm(dim=1), torch.full((8,), 2**0.5))
    # (2, .5) over its spreads is (√2, √.5): half as long along the second.
    torch.testing.assert_close(codes[0].abs(), torch.tensor([1.0, 0.5]) * (2 / 1.25) ** 0.5)
    torch.testing.assert_close(codes[4:], codes[:4])


def test_there_are_no_more_coordinates_than_replies_differ_in_and_a_reply_alone_has_no_code() -> (
    None
):
    embeddings = np.array([[1.0, 7.0, 0.0], [3.0, 7.0, 0.0], [9.0, 9.0, 9.0]])
    found = fit_reply_encoder(embeddings, ["a", "a", "b"], 32)
    assert found.axes.shape == (1, 3)
    assert found.encode(embeddings, ["a", "a", "b"])[2].tolist() == [0]


def test_words_go_with_codes() -> None:
    # Token 0 is in all replies, 1 where the code is 1, 2 where it is -1; each embedding is a
    # direction of its own.
    codes = torch.tensor([[1.0], [-1.0]] * 50)
    replies = [torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 2])] * 50
    rows = fit_code_directions(codes, replies, ["a"] * 100, torch.eye(3))
    assert rows.shape == (1, 3)
    # Token 0 has the same share everywhere; the two others change places.
    torch.testing.assert_close(rows, torch.tensor([[0.0, 0.5**0.5, -(0.5**0.5)]]))


def test_ways_of_replying_are_the_middles_of_groups() -> None:
    around = torch.tensor(
        [[1.0, 0.1], [1.0, -0.1], [-0.1, 1.0], [0.1, 1.0], [-0.1, 1.0], [0.1, 1.0]]
    )
    found = cluster_codes(around, 2, 0)
    order = found[:, 0].argsort(descending=True)
    torch.testing.assert_close(found[order], torch.eye(2) * 2**0.5)
    assert len(cluster_codes(torch.eye(2), 24, 0)) == 2  # no more groups than replies


def test_measures_stand_beside_a_code_twice_as_heavy() -> None:
    values = np.array([[1.0], [0.0], [5.0], [4.0]])  # half a unit from the mean of their family
    scale = fit_measure_scale(values, ["a", "a", "b", "b"])
    assert scale.deviation.tolist() == [0.5]
    deviations = scale.codes(values, ["a", "a", "b", "b"])
    assert deviations.tolist() == [[1], [-1], [1], [-1]]
    joined = add_measures(torch.tensor([[1.0, 0.0]] * 4), deviations)
    # (1, 0, 2) and (1, 0, -2), put on the sphere of radius √3
    torch.testing.assert_close(joined[0], torch.tensor([1.0, 0.0, 2.0]) * (3 / 5) ** 0.5)
    torch.testing.assert_close(joined[1], torch.tensor([1.0, 0.0, -2.0]) * (3 / 5) ** 0.5)


def test_a_measure_that_never_differs_has_no_direction() -> None:
    with pytest.raises(InputError, match="measure 2 never differs between replies of one family"):
        fit_measure_scale(np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0]]), ["a", "a", "a"])


def test_ways_along_measures_are_what_goes_with_each_alone() -> None:
    # The first number of a code goes with the first measure, the second with the second; the two
    # measures mostly rise together, which would make one direction of their plain means.
    measured = torch.tensor([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0], [1.0, -1.0]])
    ways = codes_along_measures(measured @ torch.tensor([[3.0, 0.0], [0.0, 1.0]]), measured)
    root2 = 2**0.5
    long, short = 3 / 10**0.5 * root2, 1 / 10**0.5 * root2
    expected = [
        [long, short], [root2, 0.0], [long, -short], [0.0, root2],
        [0.0, -root2], [-long, short], [-root2, 0.0], [-long, -short],
    ]  # fmt: skip
    torch.testing.assert_close(ways, torch.tensor(expected))


def test_a_size_that_no_replies_can_have_is_told_beforehand() -> None:
    assert size_problem(5, 7) is None
    assert size_problem(6, 7) == (
        "latent size 6 is above the rank of the embeddings of 7 replies, which is 5 at most; set a"
        " smaller size, or more replies"
    )
