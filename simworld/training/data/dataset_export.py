"""Datasets as files for other programs: one `.npz`, or a Minari dataset."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from simworld.core.errors import InputError, MissingExtra
from simworld.training.data.dataset_folder import load_meta, load_transitions

EPISODES_BUFFERED = 1024  # episodes held at a time


def export_npz(folder: Path, file: Path) -> int:
    """Writes a dataset as one `.npz` without pickles and returns the number of transitions.

    Arrays: `states` (N, d_s), `actions` (N, d'), `rewards`, `terminals`, `next` (N,) the row of the
    next state (its own where terminal), `turn` (N,) of the act in its episode, from 0, `episode`
    and `family` (N,) rows of the names in `episodes` ("<episode id>/<seat>") and `families`, and
    `meta`, JSON text. Episode, seat and turn find the utterance in the store.
    """
    data = load_transitions(folder)
    with file.open("wb") as out:
        np.savez(
            out,
            states=data.states,
            actions=data.actions,
            rewards=data.rewards,
            terminals=data.terminals,
            next=data.next_state_rows,
            turn=data.turns,
            episode=data.episode_index,
            family=data.family_index,
            episodes=np.array(data.episode_names),
            families=np.array(data.family_names),
            meta=np.array(load_meta(folder).model_dump_json()),
        )
    return len(data)


def export_minari(folder: Path, name: str, root: Path) -> int:
    """Writes a dataset as the Minari dataset `name` under `root` and returns the number of its
    episodes.

    A seat's part of an episode becomes an episode of its own. Minari keeps one observation more
    than actions; the last one, after a terminal step, is the last state again.

    Raises:
        InputError: the name is not one of Minari's, or taken.
        MissingExtra: minari is not installed.
    """
    with _open_minari(root) as (minari, parse_dataset_id, spaces, buffer):
        try:
            parse_dataset_id(name)
        except ValueError as error:
            raise InputError(
                f"{name!r}: not the name of a Minari dataset: expected NAME-v0 ({error})"
            ) from None
        if name in minari.list_local_datasets():
            raise InputError(f"{root} has a dataset {name}; give another name")
        data, meta = load_transitions(folder), load_meta(folder)
        ends = np.flatnonzero(data.terminals) + 1
        episodes = (
            buffer(
                id=index,
                observations=np.concatenate([data.states[start:end], data.states[end - 1 : end]]),
                actions=np.asarray(data.actions[start:end]),
                rewards=np.asarray(data.rewards[start:end], dtype=np.float64),
                terminations=np.asarray(data.terminals[start:end]),
                truncations=np.zeros(end - start, dtype=np.bool_),
                infos={},
            )
            for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
        )
        first_episodes = list(islice(episodes, EPISODES_BUFFERED))
        dataset = minari.create_dataset_from_buffers(
            name,
            first_episodes,
            observation_space=spaces.Box(-np.inf, np.inf, (meta.d_state,), np.float32),
            action_space=spaces.Box(-np.inf, np.inf, (meta.d_action,), np.float32),
            algorithm_name="simworld",
            description=meta.model_dump_json(),
            data_format="arrow",
        )
        while next_episodes := list(islice(episodes, EPISODES_BUFFERED)):
            dataset.update_dataset_from_buffer(next_episodes)
        return int(dataset.total_episodes)


@contextmanager
def _open_minari(root: Path) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Minari with its datasets under `root`, which it can only be told through the environment."""
    try:
        import minari
        from gymnasium import spaces
        from minari.data_collector import EpisodeBuffer
        from minari.dataset.minari_dataset import parse_dataset_id
    except ImportError as error:
        raise MissingExtra("Minari export", "minari") from error
    previous_path = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(root.absolute())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it misses an author, and a link to code
            yield minari, parse_dataset_id, spaces, EpisodeBuffer
    finally:
        if previous_path is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = previous_path
