"""The format of kept cells: records of fixed length, sorted by key, so that equal contents are
equal bytes.

Numbers are little-endian. Ids and keys are hashes, and their first 64 bits stand for them here; 64
bits of SHA-256 for names. The comments of the columns that hold them say `store/cells.py`: this
file's name when that schema was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simworld.core.measures import SampleMean

Records = NDArray[Any]  # structured


def decode_casts(seats: int, blob: bytes = b"") -> Records:
    """Last attempts: work item, episode, attempt, whether it failed, and the names of the agents in
    the order of the seats.
    """
    fields = [
        ("item", "<u8"),
        ("episode", "<u8"),
        ("attempt", "<u4"),
        ("failed", "?"),
        ("agents", "<u8", (seats,)),
    ]
    return np.frombuffer(blob, np.dtype(fields))


def decode_scores(seats: int, measures: int, blob: bytes = b"") -> Records:
    """Episodes with a score: the values of each seat by measure; NaN where there is none, ∞ where
    one is no finite number.
    """
    return np.frombuffer(blob, np.dtype([("episode", "<u8"), ("values", "<f8", (seats, measures))]))


def decode_retests(seats: int, measures: int, blob: bytes = b"") -> Records:
    """Episodes with several samples: by seat and measure the squared deviations from the samples'
    mean, and degrees of freedom.
    """
    return np.frombuffer(
        blob, np.dtype([("episode", "<u8"), ("sums", "<f8", (seats, measures, 2))])
    )


def first_64_bits(id_: str) -> int:
    """The first 64 bits of an id or key in hexadecimal digits."""
    return int(id_[:16], 16)


def hash_agent_name(name: str) -> int:
    """64 bits that stand for the name of an agent."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def encode_cast(
    item_key: str, episode_id: str, attempt: int, failed: bool, agents: Sequence[str]
) -> Records:
    """One attempt; `agents` are names, in the order of the seats."""
    numbers = [hash_agent_name(name) for name in agents]
    row = (first_64_bits(item_key), first_64_bits(episode_id), attempt, failed, numbers)
    return np.array([row], decode_casts(len(agents)).dtype)


def encode_scores(
    episode_id: str, seats: Sequence[Mapping[str, SampleMean] | None], measures: Sequence[str]
) -> Records:
    """One episode; a seat is None where a score of it is no finite number."""
    values = np.full((len(seats), len(measures)), np.nan)
    for i, seat in enumerate(seats):
        if seat is None:
            values[i] = np.inf
        for j, name in enumerate(measures):
            if seat and name in seat:
                values[i, j] = seat[name].mean
    return np.array([(first_64_bits(episode_id), values)], decode_scores(*values.shape).dtype)


def encode_retests(
    episode_id: str, seats: Sequence[Mapping[str, SampleMean] | None], measures: Sequence[str]
) -> Records:
    """One episode, or no record where no seat has several samples."""
    sums = np.zeros((len(seats), len(measures), 2))
    for i, seat in enumerate(seats):
        for j, name in enumerate(measures):
            if seat and name in seat and seat[name].samples > 1:
                sums[i, j] = seat[name].squared_deviations, seat[name].samples - 1
    record = np.array(
        [(first_64_bits(episode_id), sums)], decode_retests(len(seats), len(measures)).dtype
    )
    return record if sums[..., 1].any() else record[:0]


def insert_record(blob: bytes, record: Records, key: str) -> bytes:
    """The records with `record` inserted in order, replacing one of the same key; unchanged if
    `record` is empty.
    """
    if not len(record):
        return blob
    stored_keys = np.frombuffer(blob, record.dtype)[key]
    index = int(np.searchsorted(stored_keys, record[key][0]))
    end = index + int(index < len(stored_keys) and stored_keys[index] == record[key][0])
    size = record.dtype.itemsize
    return blob[: index * size] + record.tobytes() + blob[end * size :]


def insert_attempt(blob: bytes, record: Records) -> bytes:
    """As `insert_record`, but a later attempt at the same work item stays."""
    stored = np.frombuffer(blob, record.dtype)
    is_later = (stored["item"] == record["item"][0]) & (stored["attempt"] > record["attempt"][0])
    return blob if is_later.any() else insert_record(blob, record, "item")
