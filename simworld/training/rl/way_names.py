"""The ways of a checkpoint get names from what was said when they were tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from agents.steering.named_ways import MIN_COSINE, NEUTRAL, is_neutral, unit_rows
from simworld.training.data.transitions import Transitions
from simworld.training.ways_in_words import describe_way

MIN_NEUTRAL = 20  # utterances without steering, to compare with these alone


def name_ways(
    checkpoint: Checkpoint, transitions: Transitions, utterances: Sequence[str]
) -> Checkpoint:
    """Gives the same checkpoint, of the same id, its ways in words.

    A way is compared with what was said without steering, where the data have that, else with what
    was said in all others. Of a latent up-mapping a way is its direction, whatever share of the
    neutral action it is known with. A way that the data have not tried keeps its words.

    Args:
        checkpoint: with ways or without.
        transitions: through its up-mapping.
        utterances: of each transition.
    """
    info = checkpoint.info
    if checkpoint.ways is None or transitions.actions.shape[1] != info.d_action:
        return checkpoint
    ways = checkpoint.ways.numpy()
    actions = np.asarray(transitions.actions)
    is_latent = info.upmap == "latent"
    neutral_rows = np.zeros(len(actions), dtype=np.bool_)
    if is_latent:
        neutral_rows = _neutral_rows(actions)
    cosines = _directions(actions, is_latent) @ _directions(ways, is_latent).T
    words = list(info.way_words or ("",) * info.ways)
    for index, way in enumerate(ways):
        if is_latent and is_neutral(way):
            words[index] = NEUTRAL
            continue
        said = cosines[:, index] >= MIN_COSINE
        if is_latent:
            said &= ~neutral_rows
        base = neutral_rows if neutral_rows.sum() >= MIN_NEUTRAL else ~said
        described = describe_way(list(compress(utterances, said)), list(compress(utterances, base)))
        words[index] = described or words[index]
    named = tuple(words) if any(words) else ()
    return replace(checkpoint, info=info.model_copy(update={"way_words": named}))


def _directions(actions: NDArray[np.float32], is_latent: bool) -> NDArray[np.float64]:
    return unit_rows(actions[:, 1:] if is_latent else actions)


def _neutral_rows(actions: NDArray[np.float32]) -> NDArray[np.bool_]:
    lengths = np.linalg.norm(actions, axis=1)
    neutral: NDArray[np.bool_] = actions[:, 0] >= MIN_COSINE * lengths
    return neutral
