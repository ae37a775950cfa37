"""`.npy` files that are written row by row and read where they lie, so that memory stays small
however many rows there are.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import weakref
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simworld.yamlfile import regular_file_size

HEADER_BYTES = 128  # bytes of a header without rows
MAX_RESIDENT_BYTES = 2**26  # bytes of a file that may count as memory


class RowFile:
    """A `.npy` file that grows by rows; a valid file, with the right shape in its header, once the
    block ends.
    """

    def __init__(self, path: Path, width: int) -> None:
        self.rows = 0
        self._width = width
        self._digest = hashlib.sha256()
        self._file = path.open("wb")
        self._header = self._write_header()

    def append(self, rows: NDArray[np.float32]) -> None:
        """Adds (B, width) float32 rows."""
        if rows.dtype != np.dtype("<f4") or rows.ndim != 2 or rows.shape[1] != self._width:
            raise ValueError(
                f"expected (B, {self._width}) float32 rows, found {rows.shape} {rows.dtype}"
            )
        content = np.ascontiguousarray(rows).data.cast("B") if rows.size else b""
        self._file.write(content)
        self._digest.update(content)
        self.rows += len(rows)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the rows so far, 64 hex digits."""
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._file.seek(0)
                if self._write_header() != self._header:
                    raise RuntimeError("numpy's header has no room for the number of rows")
        finally:
            self._file.close()

    def _write_header(self) -> int:
        # numpy leaves room in a header for its first dimension to grow, so that it can be written
        # again in place
        header: dict[str, Any] = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (self.rows, self._width),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()


def save_array(path: Path, array: NDArray[Any]) -> str:
    """Writes an array as `.npy` and returns the SHA-256 of its content."""
    np.save(path, array, allow_pickle=False)
    return hashlib.sha256(
        np.ascontiguousarray(array).data.cast("B") if array.size else b""
    ).hexdigest()


class MappedRows(np.memmap[Any, np.dtype[np.float32]]):
    """Rows read where they lie, of which few bytes count as this process's memory.

    Rows picked by number are read from the file: touched through the mapping, each would keep a
    wide stretch around it in memory, and random batches soon the whole file. Slices are views of
    the mapping, whose pages are let go once enough were touched.
    """

    descriptor: int | None = None  # of the open file; only of the whole, not of its views
    touched_bytes = 0  # bytes since pages were last let go

    def __getitem__(self, index: Any) -> Any:
        if self.descriptor is None:
            return super().__getitem__(index)
        if isinstance(index, np.ndarray) and index.ndim == 1 and index.dtype.kind in "iub":
            return self._read_rows(np.flatnonzero(index) if index.dtype.kind == "b" else index)
        rows = super().__getitem__(index)
        self.touched_bytes += getattr(rows, "nbytes", 0)
        if self.touched_bytes > MAX_RESIDENT_BYTES:
            self._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
            self.touched_bytes = 0
        return rows

    def _read_rows(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        assert self.descriptor is not None
        picked = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        if not picked.size:
            return picked
        offsets = np.where(rows < 0, rows + len(self), rows).astype(np.int64)
        if offsets.min() < 0 or offsets.max() >= len(self):
            raise IndexError(f"no such row among {len(self)}")
        buffer, width, descriptor = picked.data.cast("B"), self.strides[0], self.descriptor
        for target, offset in enumerate((self.offset + offsets * width).tolist()):
            row = buffer[target * width : (target + 1) * width]
            if os.preadv(descriptor, [row], offset) != width:
                raise OSError("the file is shorter than it was")
        return picked


def load_column(path: Path, dtype: type[np.generic], rows: int) -> NDArray[Any]:
    """Reads a file of `save_array`, (rows,). Raises OSError, ValueError or InputError where it is
    none.
    """
    expected = rows * np.dtype(dtype).itemsize + HEADER_BYTES
    if (size := regular_file_size(path)) != expected:
        raise ValueError(f"{path.name} has {size} bytes; expected {expected}")
    column: NDArray[Any] = np.load(path)
    if column.shape != (rows,) or column.dtype != dtype:
        raise ValueError(
            f"{path.name} holds {column.dtype} of shape {column.shape}; expected {rows} of"
            f" {np.dtype(dtype)}"
        )
    return column


def map_rows(path: Path, *, max_resident: int | None = None) -> NDArray[np.float32]:
    """Gives the rows of a file of `RowFile`, (n, width) float32, memory-mapped and read-only; an
    empty file, which no system can map, is read.

    Where they are more than `max_resident` bytes (default: MAX_RESIDENT_BYTES), few of them
    count as memory. Raises OSError, ValueError or InputError for another file.
    """
    size = regular_file_size(path)
    rows: NDArray[np.float32] = np.load(path, mmap_mode="r" if size > HEADER_BYTES else None)
    if isinstance(rows, np.memmap) and rows.offset + rows.nbytes != size:
        raise ValueError(f"{path.name} has {size} bytes; expected {rows.offset + rows.nbytes}")
    if rows.dtype != np.dtype("<f4") or rows.ndim != 2:
        raise ValueError(f"{path.name} holds {rows.dtype} of {rows.ndim} dimensions")
    limit = MAX_RESIDENT_BYTES if max_resident is None else max_resident
    if rows.nbytes <= limit or not hasattr(os, "preadv"):
        return rows
    mapped = rows.view(MappedRows)
    mapped.descriptor = os.open(path, os.O_RDONLY)
    weakref.finalize(mapped, os.close, mapped.descriptor)
    return mapped
