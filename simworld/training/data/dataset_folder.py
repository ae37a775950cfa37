"""A dataset's folder is written as episodes come; transitions that are read stay in their files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, TypeAdapter, ValidationError

from simworld.core.credit_assignment import CreditAssignment, family_means
from simworld.core.errors import InputError, StoreError
from simworld.extensions import STORED
from simworld.training.data.dataset_query import DATASET_FORMAT, DataQuery
from simworld.training.data.npy_stream import RowFile, load_column, map_rows, save_array
from simworld.training.data.transitions import Transitions
from simworld.yamlfile import read_regular_file

META_FILE = "meta.json"
MAX_META_BYTES = 1 << 26
MAX_NAME_BYTES = 1024  # of the names for each row
MAX_MESSAGE_CHARS = 200  # of another library's message
EPISODE_NAMES = TypeAdapter(list[str])
# what reading a file of numbers raises
READ_ERRORS = (OSError, ValueError, EOFError, MemoryError, InputError)


class DatasetMeta(BaseModel):
    """What is in a dataset's folder, and where it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str
    source: str  # the database, without a password
    query: DataQuery
    rows: NonNegativeInt
    sha256: str  # of states, actions, rewards, lengths, turns, families and names
    encoder_id: str
    d_state: int
    d_action: int
    planners: dict[str, int]  # planner id → acts that fit the query
    dtypes: dict[str, int] = {}  # number format of the model that acted → acts that fit the query
    weights: dict[str, dict[str, float]]  # judge id → dimension → weight
    families: tuple[str, ...]
    family_means: dict[str, float]  # taken off the scores where they were centred
    failed: int  # episodes that fit the query and were left out
    unscored: int  # seats left out, for no judgement that is ok scores or attributes them
    without_action: int  # seats left out, for only their states were recorded
    endings: dict[str, int]  # of the seats taken
    # of one judge's samples of one seat, pooled; None where it judged nothing twice
    judge_sd: float | None
    judge_repeats: int  # seats with more than one judgement

    @property
    def dtype(self) -> str:
        """The number format in which most acts were made; empty where the dataset does not say, for
        an earlier version made it.
        """
        return max(sorted(self.dtypes), key=lambda name: self.dtypes[name], default="")

    def provenance(self) -> dict[str, Any]:
        """Gives what a checkpoint says about its data; of the database only the name, for a
        checkpoint travels.
        """
        return {
            "source": PurePath(self.source).name,
            "query": self.query.to_json(),
            "rows": self.rows,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatEpisode:
    """One seat's steered acts in one episode, n at least 1."""

    name: str  # "<episode id>/<seat>"
    family: str
    states: NDArray[np.float32]  # (n, d_s)
    actions: NDArray[np.float32]  # (n, d')
    turns: Sequence[int]  # n
    credit: CreditAssignment


def write_dataset(
    folder: Path, episodes: Iterable[SeatEpisode], d_state: int, d_action: int, centre: bool
) -> dict[str, Any]:
    """Writes episodes as they come, and gives rows, sha256, families and their means. Only scores
    and names stay in memory.

    Raises InputError for a state, action or reward that is not finite.
    """
    lengths, families, turns = array("q"), array("q"), array("q")  # by episode, turns by transition
    # by episode, the others by transition
    scores, credit_parts, baseline_shares = array("d"), array("d"), array("d")
    episode_names: list[str] = []
    family_index: dict[str, int] = {}
    with (
        RowFile(folder / "states.npy", d_state) as states,
        RowFile(folder / "actions.npy", d_action) as actions,
    ):
        for episode in episodes:
            for kind, values in (
                ("state", episode.states),
                ("action", episode.actions),
                ("reward", episode.credit.parts),
            ):
                if not np.isfinite(values).all():
                    raise InputError(
                        f"episode {episode.name}: a non-finite {kind} (NaN or infinite); leave the"
                        " episode out of the query"
                    )
            states.append(episode.states)
            actions.append(episode.actions)
            lengths.append(len(episode.states))
            turns.extend(episode.turns)
            families.append(family_index.setdefault(episode.family, len(family_index)))
            episode_names.append(episode.name)
            scores.append(float(episode.credit.parts.sum()))
            credit_parts.frombytes(episode.credit.parts.tobytes())
            baseline_shares.frombytes(episode.credit.baseline_shares.tobytes())
    family_names = list(family_index)
    means = family_means((family_names[i], x) for i, x in zip(families, scores, strict=True))
    levels = np.array([means[family_names[i]] if centre else 0.0 for i in families])
    subtracted = np.repeat(levels, np.array(lengths, dtype=np.int64)) * np.array(baseline_shares)
    rewards = (np.array(credit_parts) - subtracted).astype(np.float32)
    digests = [
        states.sha256,
        actions.sha256,
        save_array(folder / "rewards.npy", rewards),
        save_array(folder / "lengths.npy", np.array(lengths, dtype=np.int64)),
        save_array(folder / "turns.npy", np.array(turns, dtype=np.int64)),
        save_array(folder / "families.npy", np.array(families, dtype=np.int64)),
        save_array(folder / "scores.npy", np.array(scores)),
        hashlib.sha256("\n".join([*episode_names, *family_names]).encode()).hexdigest(),
    ]
    (folder / "episodes.json").write_text(json.dumps(episode_names), "utf-8")
    return {
        "rows": len(rewards),
        "sha256": hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        "families": tuple(family_names),
        "family_means": means,
    }


def load_transitions(folder: Path) -> Transitions:
    """The transitions of a dataset; states and actions stay in their files. Raises InputError where
    it is not one or damaged.

    The last utterance of a seat in an episode is terminal, at the turn limit too, for the score is
    that of the finished episode.
    """
    meta = load_meta(folder)
    try:
        states = map_rows(folder / "states.npy")
        actions = map_rows(folder / "actions.npy")
        rewards = load_column(folder / "rewards.npy", np.float32, meta.rows)
        turns = load_column(folder / "turns.npy", np.int64, meta.rows)
        episode_names = EPISODE_NAMES.validate_json(
            read_regular_file(folder / "episodes.json", MAX_NAME_BYTES * (meta.rows + 1))
        )
        lengths = load_column(folder / "lengths.npy", np.int64, len(episode_names))
        families = load_column(folder / "families.npy", np.int64, len(episode_names))
        if (
            len(states) != meta.rows
            or len(actions) != meta.rows
            or lengths.sum() != meta.rows
            or (lengths < 1).any()
        ):
            raise ValueError("files of different length")
        if families.size and not (families.min() >= 0 and families.max() < len(meta.families)):
            raise ValueError("families that have no name")
    except READ_ERRORS as error:
        detail = " ".join(str(error).split())[:MAX_MESSAGE_CHARS]
        raise InputError(
            f"{folder}: the dataset is damaged ({detail}); delete the folder and build it again"
        ) from None
    rows = np.arange(meta.rows)
    terminal = np.zeros(meta.rows, dtype=np.bool_)
    terminal[np.cumsum(lengths) - 1] = True
    return Transitions(
        states=states,
        actions=actions,
        rewards=rewards,
        state_rows=rows,
        next_state_rows=np.where(terminal, rows, rows + 1),
        terminals=terminal,
        episode_index=np.repeat(np.arange(len(lengths)), lengths),
        turns=turns,
        family_index=np.repeat(families, lengths),
        episode_names=episode_names,
        family_names=meta.families,
    )


def load_meta(folder: Path) -> DatasetMeta:
    """Reads what a dataset says about itself. Raises InputError where there is none, or one of
    another format.
    """
    try:
        if not os.path.lexists(folder / META_FILE):
            raise InputError(f"{folder}: no dataset ({META_FILE} is missing)")
        meta = DatasetMeta.model_validate_json(
            read_regular_file(folder / META_FILE, MAX_META_BYTES), context=STORED
        )
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{folder / META_FILE}: {location}: {first['msg']}; build the dataset again"
        ) from None
    if meta.format != DATASET_FORMAT:
        raise InputError(
            f"{folder}: a dataset of format {meta.format}, this version reads {DATASET_FORMAT};"
            " build the dataset again"
        )
    return meta


@contextmanager
def new_dataset_folder(target: Path) -> Iterator[Path]:
    """Gives a folder to write in, which becomes `target` when the block ends well; if another
    process was faster, its one stays.
    """
    work = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".spilling-", dir=target.parent))
        yield work
        try:
            os.rename(work, target)
        except OSError:
            if not (target / META_FILE).is_file():
                raise
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def load_scores(folder: Path, seats: int) -> NDArray[np.float64]:
    """Reads the score of each seat's part of an episode, not centred, (E,) in the order of
    `Transitions.episode_names`; E is `seats`. Raises InputError where the file is damaged.
    """
    try:
        return load_column(folder / "scores.npy", np.float64, seats)
    except READ_ERRORS as error:
        raise InputError(
            f"{folder}: the dataset is damaged ({error}); delete the folder and build it again"
        ) from None
