"""Which families are learned from and which are held out: no family is in two splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed
from simworld.training.data.transitions import Transitions

DataSplit = Literal["train", "dev", "test"]


def assign_splits(
    families: Iterable[str], *, seed: int, dev: float = 0.15, test: float = 0.25
) -> Mapping[str, DataSplit]:
    """Gives family → train, dev or test, by a hash of its name and the seed, so that a family stays
    where it is as data grow.

    Where a split came out empty, the family nearest to it moves over. Raises InputError for fewer
    than three families.
    """
    position = {
        family: derive_seed("held out", seed, family) / 2**64 for family in sorted(set(families))
    }
    if len(position) < 3:
        family_names = ", ".join(sorted(position)) or "none"
        raise InputError(
            f"found {counted(len(position), 'family', 'families')} with replies ({family_names}); "
            "training, choosing and testing need one each: "
            "collect replies on at least three scenarios"
        )
    ordered = sorted(position, key=lambda family: position[family])
    test_count = max(1, sum(position[family] < test for family in ordered))
    dev_count = max(1, sum(test <= position[family] < test + dev for family in ordered))
    test_count = min(test_count, len(ordered) - 2)
    dev_count = min(dev_count, len(ordered) - 1 - test_count)
    return {
        family: "test" if i < test_count else "dev" if i < test_count + dev_count else "train"
        for i, family in enumerate(ordered)
    }


def split_transitions(
    transitions: Transitions, *, held_out: float, seed: int
) -> tuple[Transitions, Transitions | None]:
    """Splits transitions into those to learn from and those held out, None where the share is 0.

    `held_out` is a share of the families; at least one stands on either side. Which ones depends on
    their names and the seed alone.
    """
    if not held_out:
        return transitions.with_next_rows(), None
    shuffled = sorted(
        np.unique(transitions.family_index),
        key=lambda f: derive_seed(seed, "held out", transitions.family_names[f]),
    )
    count = min(max(1, round(held_out * len(shuffled))), len(shuffled) - 1)
    heldout = np.isin(transitions.family_index, shuffled[:count])
    return (
        transitions.select(np.flatnonzero(~heldout)).with_next_rows(),
        transitions.select(np.flatnonzero(heldout)).with_next_rows(),
    )
