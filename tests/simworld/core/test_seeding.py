"""Seeds that must never change: stored episodes are replayed from them."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.engine import episode_seed
from simworld.core.seeding import derive_seed, make_rng, uniforms

names = st.one_of(st.text(max_size=8), st.integers(-(2**70), 2**70))


def by_hand(*parts: bytes) -> int:
    """The first 8 bytes of SHA-256 over length-prefixed parts."""
    text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def test_a_seed_is_the_hash_of_its_path() -> None:
    assert derive_seed("episode", 7, "s1-x") == by_hand(b"str:episode", b"int:7", b"str:s1-x")


@pytest.mark.parametrize(
    ("seed", "golden"),
    [
        (derive_seed(), 16406829232824261652),
        (derive_seed("a"), 1454643367259180048),
        (derive_seed("episode", 0, "s1-x", 0), 5683791951516796986),
        (episode_seed(0, "s1-x", 0), 5683791951516796986),
    ],
)
def test_golden_seeds(seed: int, golden: int) -> None:
    assert seed == golden


def test_golden_uniforms() -> None:
    assert uniforms(1, 3).tolist() == [0.3035680343067586, 0.8487087496857769, 0.1561347780434731]


def test_paths_are_kept_apart() -> None:
    paths: list[tuple[str | int, ...]] = [
        (), ("",), ("", ""), ("ab",), ("a", "b"), ("b", "a"), ("a", "b", ""), (1,), ("1",), (1, 1), (11,), (-1,),
    ]  # fmt: skip
    assert len({derive_seed(*path) for path in paths}) == len(paths)


@given(st.lists(names, max_size=4), st.lists(names, max_size=4))
def test_seeds_are_equal_exactly_for_equal_paths(
    one: list[str | int], two: list[str | int]
) -> None:
    assert (derive_seed(*one) == derive_seed(*two)) == (one == two)
    assert 0 <= derive_seed(*one) < 2**64


@given(st.integers(0, 2**64 - 1), st.integers(0, 40), st.integers(0, 40))
def test_longer_streams_begin_with_shorter_ones(seed: int, one: int, two: int) -> None:
    short, long = sorted((one, two))
    drawn = uniforms(seed, long)
    assert drawn.shape == (long,)
    assert drawn.dtype == np.float64
    assert (drawn[:short] == uniforms(seed, short)).all()
    assert ((drawn >= 0) & (drawn < 1)).all()


def test_a_generator_touches_no_global_state() -> None:
    before = uniforms(5, 4)
    make_rng(5).random(100)
    assert (uniforms(5, 4) == before).all()


def test_uniforms_are_uniform() -> None:
    counts, _ = np.histogram(uniforms(3, 10_000), bins=10, range=(0, 1))
    assert abs(counts - 1000).max() < 120  # four standard deviations of a binomial count
