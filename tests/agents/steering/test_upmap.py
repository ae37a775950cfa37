"""Up-mappings from token embeddings, against a vocabulary of three."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.steering.planner import project_action
from agents.steering.upmap import PCAMode, pca_upmap, principal_directions

# Mean (2, 1); centred (-2, -1), (2, -1), (0, 2), whose products sum to 8, 6 and 0: the axes are the
# directions.
THREE = torch.tensor([[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]])
NORM = (0 + 4 + 13**0.5) / 3


def test_the_directions_of_three_embeddings() -> None:
    assert torch.equal(principal_directions(THREE, 2), torch.eye(2, dtype=torch.float64))
    assert torch.equal(
        principal_directions(-THREE, 1), torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    )
    # (1, 0) goes to (0.6, -0.8), so its sign is turned
    tilted = THREE @ torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    assert torch.allclose(
        principal_directions(tilted, 1), torch.tensor([[-0.6, 0.8]]).double(), atol=1e-6
    )


def test_repeated_is_one_vector_several_times() -> None:
    made = pca_upmap(THREE, d_action=2, tokens=3, act_norm=0.5, mode="repeated")
    assert torch.equal(made.weight, torch.tensor([[1.0, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]))
    assert (made.d_action, made.d_model, made.tokens) == (2, 2, 3)
    assert made.embedding_norm == pytest.approx(NORM)
    (prefix,) = made(torch.tensor([[1.0, -1.0]]))
    length = 0.5 * NORM / 2**0.5
    assert prefix.tolist() == [pytest.approx([length, -length])] * 3


def test_groups_give_vectors_of_their_own() -> None:
    made = pca_upmap(THREE, d_action=2, tokens=2, act_norm=0.5, mode="groups")
    assert torch.allclose(made.weight, 2**0.5 * torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0]]))
    (prefix,) = made(torch.tensor([[1.0, -1.0]]))
    assert prefix.tolist() == [pytest.approx([0.5 * NORM, 0]), pytest.approx([-0.5 * NORM, 0])]


@given(
    mode=st.sampled_from(["groups", "repeated"]),
    tokens=st.integers(1, 4),
    group=st.integers(1, 3),
    act_norm=st.floats(0.1, 4),
    seed=st.integers(0, 99),
)
def test_every_action_of_the_sphere_makes_a_prefix_of_the_same_strength(
    mode: PCAMode, tokens: int, group: int, act_norm: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(40, 12, generator=draw)
    made = pca_upmap(
        embeddings, d_action=tokens * group, tokens=tokens, act_norm=act_norm, mode=mode
    )
    action = project_action(torch.randn(1, tokens * group, generator=draw), "sphere")
    lengths = made(action).detach()[0].norm(dim=1)
    wanted = act_norm * float(embeddings.norm(dim=1).mean())
    assert float(lengths.square().mean().sqrt()) == pytest.approx(wanted, rel=1e-4)
    if mode == "repeated":
        assert lengths.tolist() == pytest.approx([wanted] * tokens, rel=1e-4)


def test_sizes_that_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="5 numbers cannot be split into 2 equal groups"):
        pca_upmap(THREE, d_action=5, tokens=2, act_norm=1, mode="groups")
    with pytest.raises(ValueError, match="3 embeddings of 2 numbers have 2 directions, not 3"):
        pca_upmap(THREE, d_action=3, tokens=2, act_norm=1, mode="repeated")
