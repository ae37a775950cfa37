"""A planner's policy as a table: which ways of replying its actions are nearest to, in which
situations, and how much the actions vary at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.steering.named_ways import NamedWay, way_cosines
from simworld.core.counts import counted
from simworld.training.data.dataset_inspection import action_dispersion

MAX_COLUMNS = 8  # ways of their own; the others are one more
OTHER_WAYS = "other ways"
NEARLY = 0.05  # dispersion, or share of what is not nearest to the first way


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """What a planner does in one situation."""

    situation: str
    n: int  # states
    counts: tuple[int, ...]  # of them, nearest to each of the table's ways


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """What a planner does. A state may be in several situations."""

    n: int  # states
    ways: tuple[str, ...]  # the most frequent first; empty where the planner knows none
    counts: tuple[int, ...]  # over all states
    rows: tuple[PolicyRow, ...]  # of situations that there were
    # mean cosine distance of two of its actions, 0 to 2: 0 where all are one; None for one state
    dispersion: float | None
    # of how much its actions vary, what the situations account for, corrected for their number, 0
    # to 1; None where nothing varies
    by_situation: float | None

    @property
    def largest_share(self) -> float | None:
        """Of states, those in which its action is nearest to the way that is so most often."""
        return max(self.counts) / self.n if self.counts else None

    @property
    def is_nearly_constant(self) -> bool:
        """Whether its actions hardly differ, or nearly all are nearest to one way."""
        share = self.largest_share
        return (
            self.dispersion is None
            or self.dispersion < NEARLY
            or (share is not None and share > 1 - NEARLY)
        )

    def sentence(self) -> str:
        """What kind of planner it is."""
        share = self.largest_share
        numbers = f"in {counted(self.n, 'state')} its actions have a dispersion of "
        numbers += "–" if self.dispersion is None else f"{self.dispersion:.3f}"
        if share is not None:
            numbers += f", and {share:.0%} are nearest to one way"
        if self.is_nearly_constant:
            return f"This planner is nearly a constant: {numbers}."
        part = f"; situations account for {self.by_situation or 0.0:.0%} of how they vary"
        return f"What this planner does hangs on the dialogue: {numbers}{part}."

    def to_json(self) -> dict[str, Any]:
        """Gives the table as plain JSON data, with what is told of it."""
        return asdict(self) | {
            "largest_share": self.largest_share,
            "nearly_constant": self.is_nearly_constant,
            "sentence": self.sentence(),
        }


def tabulate_policy(
    actions: NDArray[np.float32],
    holds: NDArray[np.bool_],
    situations: Sequence[str],
    ways: Sequence[NamedWay],
) -> PolicyTable:
    """Gives the table of actions (n, d') in states that are in situations (n, situations).

    Raises ValueError where there is no action.
    """
    if not len(actions):
        raise ValueError("no action to tell of")
    names: tuple[str, ...] = ()
    nearest = np.zeros((len(actions), 0), dtype=np.bool_)
    if ways:
        chosen = way_cosines(actions, ways).argmax(1)
        totals = np.bincount(chosen, minlength=len(ways))
        order = [int(i) for i in np.argsort(-totals, kind="stable") if totals[i]]
        shown, others = order[:MAX_COLUMNS], order[MAX_COLUMNS:]
        names = (*(ways[i].words for i in shown), *([OTHER_WAYS] if others else []))
        columns = [chosen == i for i in shown]
        nearest = np.stack([*columns, *([np.isin(chosen, others)] if others else [])], axis=1)
    cosine = action_dispersion(actions).cosine
    return PolicyTable(
        n=len(actions),
        ways=names,
        counts=_column_sums(nearest),
        rows=tuple(
            PolicyRow(
                situation=name,
                n=int(holds[:, i].sum()),
                counts=_column_sums(nearest[holds[:, i]]),
            )
            for i, name in enumerate(situations)
            if holds[:, i].any()
        ),
        dispersion=None if cosine is None else max(0.0, 1 - cosine),
        by_situation=_share_between(np.asarray(actions, dtype=np.float64), holds),
    )


def _column_sums(flags: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(total) for total in flags.sum(0))


def _share_between(actions: NDArray[np.float64], holds: NDArray[np.bool_]) -> float | None:
    """Gives the share of variance between groups of states that are in the same situations: ε²,
    which is about 0 where groups differ by chance alone.
    """
    _, group = np.unique(holds, axis=0, return_inverse=True)
    group = group.ravel()
    groups, n = int(group.max()) + 1, len(actions)
    total = float(np.square(actions - actions.mean(0)).sum())
    if n <= groups or total <= 1e-9 * float(np.square(actions).sum()):
        return None
    within = sum(
        float(np.square(part - part.mean(0)).sum())
        for part in (actions[group == i] for i in range(groups))
    )
    return max(0.0, 1 - (within / (n - groups)) / (total / (n - 1)))
