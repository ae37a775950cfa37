"""The ways of replying that a planner knows, in words, and which of them an action is nearest to;
without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.steering.checkpoint_folder import Arrays
from agents.steering.checkpoint_info import CheckpointInfo
from simworld.core.arrays import Floats

NEUTRAL = "as without steering"
MIN_COSINE = 0.999  # of two actions that are one way
_STORED_DIGITS = 4  # of an action's numbers in an agent's stored spec
_MAX_STORED = 1000  # ways that are read from one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamedWay:
    """One way of replying."""

    words: str  # what is said in it, or its number
    action: NDArray[np.float32]  # (d',)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearWay:
    """A way that an action is near to."""

    words: str
    cosine: float


def named_ways(info: CheckpointInfo, arrays: Arrays) -> tuple[NamedWay, ...]:
    """The ways of a checkpoint, and the neutral action where its up-mapping has one; empty where it
    knows no ways.
    """
    if not info.ways:
        return ()
    words = info.way_words or ("",) * info.ways
    ways = [
        NamedWay(words=text or f"way {number}", action=action)
        for number, (text, action) in enumerate(zip(words, arrays["ways"], strict=True), start=1)
    ]
    if info.upmap == "latent":
        neutral = neutral_action(info.d_action)
        ways = [way for way in ways if not is_neutral(way.action)]
        ways.append(NamedWay(words=NEUTRAL, action=neutral))
    return tuple(ways)


def neutral_action(d_action: int) -> NDArray[np.float32]:
    """The action of a latent up-mapping that changes nothing, (d',): (√d', 0, …, 0)."""
    action = np.zeros(d_action, np.float32)
    action[0] = d_action**0.5
    return action


def is_neutral(action: NDArray[np.float32]) -> bool:
    """Whether an action of a latent up-mapping changes nothing."""
    return bool(action[0] >= MIN_COSINE * np.linalg.norm(action))


def way_cosines(actions: NDArray[np.float32], ways: Sequence[NamedWay]) -> Floats:
    """The cosines of actions (n, d') with ways, (n, ways); 0 for an action of length zero."""
    known = np.stack([way.action for way in ways])
    return unit_rows(actions) @ unit_rows(known).T


def nearest_ways(
    action: NDArray[np.float32], ways: Sequence[NamedWay], count: int = 2
) -> tuple[NearWay, ...]:
    """The ways that an action (d',) is nearest to, the nearest first; none where ways have another
    size.
    """
    fitting = [way for way in ways if way.action.shape == action.shape]
    if not fitting:
        return ()
    cosines = way_cosines(action[None], fitting)[0]
    order = np.argsort(-cosines, kind="stable")[:count]
    return tuple(NearWay(words=fitting[i].words, cosine=float(cosines[i])) for i in order)


def unit_rows(rows: NDArray[np.floating[Any]]) -> Floats:
    """Rows (n, d) at length 1; those of length zero stay."""
    points = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit: Floats = np.divide(points, lengths, out=np.zeros_like(points), where=lengths > 0)
    return unit


def ways_to_json(ways: Sequence[NamedWay]) -> list[dict[str, Any]]:
    """Ways as an agent's stored spec has them."""
    return [
        {"words": way.words, "action": np.round(way.action, _STORED_DIGITS).astype(float).tolist()}
        for way in ways
    ]


def ways_from_spec(spec: Mapping[str, Any]) -> tuple[NamedWay, ...]:
    """The ways in an agent's stored spec; none where it has none, or not in this form."""
    steering = spec.get("steering")
    stored = steering.get("ways") if isinstance(steering, Mapping) else None
    ways = []
    for way in stored[:_MAX_STORED] if isinstance(stored, list) else ():
        try:
            action = np.asarray(way["action"], dtype=np.float32)
            words = str(way["words"])
        except (TypeError, ValueError, KeyError):
            return ()
        if action.ndim != 1 or not np.isfinite(action).all():
            return ()
        ways.append(NamedWay(words=words, action=action))
    return tuple(ways)
