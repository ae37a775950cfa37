"""Whether a dataset's slopes are sound, and whether they see a direction that is worth something: one JSON line.

    simworld train slopes … --out slopes.npz      # prints the dataset's folder
    python -m bench.slopes --data FOLDER --slopes slopes.npz

`mean` is the length of the mean slope and `mean_chance` what chance puts there: far more, and the slopes are not those of the
distribution that the replies were drawn from. Nor are they where slopes go with states: `states` is the mean square of the
correlations between slopes and the states' 40 leading coordinates, in units of what chance puts there, so 1 is sound.

`deviation` is that of the rewards, less the mean of their family and then of their turn in the episode; a score that was shared
out evenly counts whole. `direction` is the length of the mean of reward × slope, `direction_chance` what chance puts
there. `halves` is what the direction found on half of the families is worth on the others, in rewards per unit of action (mean
of `--splits` splits); `p` the share of permutations of the rewards within families that reach as much. The first number of an
action is left out of directions: it is the neutral prefix's share (docs/training.md).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simworld.training.folder import load_meta
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
    rewards = data.rewards.astype(np.float64)
    if load_meta(given.data).query.reward.placed in ("utterance", "uniform"):  # parts of a mean
        rewards *= np.bincount(data.episode)[data.episode]
    rewards = centred(rewards, data.family, data.turn)[known]
    slopes, families = data.slopes[known].astype(np.float64), data.family[known].astype(np.int64)
    found = summary(rewards, slopes, families, splits=given.splits, permutations=given.permutations)
    found["states"] = round(with_states(slopes, data.states[data.state[known]].astype(np.float64)), 3)
    print(json.dumps(found))


def centred(rewards: Floats, family: Ints, turn: Ints) -> Floats:
    """Rewards less the mean of their family, and what is left less the mean of its turn, (n,)."""
    for of in (family, turn):
        rewards = rewards - (np.bincount(of, weights=rewards) / np.maximum(np.bincount(of), 1))[of]
    return rewards


def with_states(slopes: Floats, states: Floats, most: int = 40) -> float:
    """Mean square of √n times the correlations between slopes (n, d') and the states' leading coordinates, both whitened."""
    scaled = (states - states.mean(0)) / np.maximum(states.std(0), 1e-9)
    coordinates = np.linalg.svd(scaled, full_matrices=False)[0][:, :most]  # (n, most) of unit length
    values, axes = np.linalg.eigh(slopes.T @ slopes / len(slopes))
    white = slopes @ axes / np.sqrt(np.maximum(values, 1e-12))
    return float(np.square(coordinates.T @ white).mean())


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
        "deviation": float(rewards.std()),
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
