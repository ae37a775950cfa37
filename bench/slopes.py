"""Whether a dataset's slopes are sound, and whether they see a direction that is worth something: one JSON line.

    simworld train slopes … --out slopes.npz      # prints the dataset's folder
    python -m bench.slopes --data FOLDER --slopes slopes.npz

`mean` is the length of the mean slope and `mean_chance` what chance puts there: far more, and the slopes are not those of the
distribution that the replies were drawn from. `direction` is the length of the mean of reward × slope, `direction_chance` likewise.
`halves` is what the direction found on half of the families is worth on the others, in the reward of an utterance per unit of
action (mean of `--splits` splits); `p` the share of permutations of the rewards within families that reach as much. The first
number of an action is left out of directions: it is the neutral prefix's share (docs/training.md).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simworld.training.planners import load_data

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a dataset's folder")
    parser.add_argument("--slopes", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--permutations", type=int, default=200)
    given = parser.parse_args()
    data = load_data(given.data, given.slopes).transitions
    assert data.slopes is not None
    known = np.isfinite(data.slopes).all(1)
    rewards = (data.rewards * np.bincount(data.episode)[data.episode])[known].astype(np.float64)  # as measured, centred
    slopes, families = data.slopes[known].astype(np.float64), data.family[known].astype(np.int64)
    print(json.dumps(summary(rewards, slopes, families, splits=given.splits, permutations=given.permutations)))


def summary(rewards: Floats, slopes: Floats, families: Ints, *, splits: int, permutations: int) -> dict[str, float]:
    """See the module; rewards (n,), slopes (n, d'), families (n,)."""
    rng = np.random.default_rng(0)
    found = halves(rewards[:, None] * slopes[:, 1:], families, splits, rng)
    chance = []
    for _ in range(permutations):
        order = np.arange(len(rewards))
        for family in np.unique(families):
            rows = np.flatnonzero(families == family)
            order[rows] = rng.permutation(rows)
        chance.append(halves(rewards[order, None] * slopes[:, 1:], families, max(1, splits // 10), rng))
    mean, mean_chance = length(slopes)
    direction, direction_chance = length(rewards[:, None] * slopes[:, 1:])
    made = {
        "mean": mean,
        "mean_chance": mean_chance,
        "fisher": float(np.square(slopes[:, 1:]).mean()),
        "direction": direction,
        "direction_chance": direction_chance,
        "halves": found,
        "p": float(np.mean(np.array(chance) >= found)),
    }
    return {"n": len(rewards), **{name: round(value, 4) for name, value in made.items()}}


def length(rows: Floats) -> tuple[float, float]:
    """The length of the mean of rows (n, d), and the root mean square of what it would be around 0."""
    return float(np.linalg.norm(rows.mean(0))), float(np.sqrt(rows.var(0).sum() / len(rows)))


def halves(products: Floats, families: Ints, splits: int, rng: np.random.Generator) -> float:
    """Mean over splits of families of a · b / |a|, a and b the mean rows (n, d) of either half."""
    names, found = np.unique(families), []
    for _ in range(splits):
        first = np.isin(families, rng.permutation(names)[: len(names) // 2])
        a, b = products[first].mean(0), products[~first].mean(0)
        found += [a @ b / np.linalg.norm(a), a @ b / np.linalg.norm(b)]
    return float(np.mean(found))


if __name__ == "__main__":
    main()
