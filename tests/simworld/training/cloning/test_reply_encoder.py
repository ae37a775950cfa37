"""Codes of replies, and what they say of their words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simworld.training.cloning.reply_encoder import (
    centre_by_family,
    cluster_codes,
    fit_code_directions,
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


def test_a_size_that_no_replies_can_have_is_told_beforehand() -> None:
    assert size_problem(5, 7) is None
    assert size_problem(6, 7) == (
        "latent size 6 is above the rank of the embeddings of 7 replies, which is 5 at most; set a"
        " smaller size, or more replies"
    )
