"""Random numbers that derive from names, so that order, batching and resuming cannot change them.

A seed is a 64-bit number made by hashing a path of names: (run seed, scenario id, repeat, turn,
seat). The cast is not in the path: two casts of one work item share their random numbers (common
random numbers), which is what makes pairing worth something.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Name = str | int


def derive_seed(*path: Name) -> int:
    """A seed in [0, 2**64) that depends on the path's names, their order and their types."""
    digest = hashlib.sha256()
    for name in path:
        part = f"{type(name).__name__}:{name}".encode()
        # the length keeps ("a", "b") apart from ("ab",)
        digest.update(len(part).to_bytes(8, "big") + part)
    return int.from_bytes(digest.digest()[:8], "big")


def make_rng(seed: int) -> np.random.Generator:
    """A random number generator (counter-based Philox) for a seed; no global state."""
    return np.random.Generator(np.random.Philox(key=seed))


def uniforms(seed: int, count: int) -> NDArray[np.float64]:
    """A seed's first `count` uniforms in [0, 1), (count,) float64; longer ones begin alike."""
    return make_rng(seed).random(count)
