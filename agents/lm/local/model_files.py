"""Where models are cached on this machine, and content hashes of their files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from simworld.core.errors import InputError, ModelError
from simworld.yamlfile import regular_file_size

MAX_FOLDER_FILES = 10_000  # files in a model's folder
MAX_TEXT_BYTES = 1 << 28  # bytes of configuration or vocabulary in one file
TEXT_SUFFIXES = (".json", ".txt", ".jinja", ".model")
# bytes; hashing less than this costs no more than looking the hash up
HASH_CACHE_MIN_BYTES = 16 * 2**20


def cache_root() -> Path:
    """The folder for converted models and file hashes: `SIMWORLD_CACHE`, or the user's cache
    folder. It may not exist yet.
    """
    if chosen := os.environ.get("SIMWORLD_CACHE"):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("simworld"))


def make_folder(path: Path) -> Path:
    """The folder, made if it is missing. Raises ModelError where that is impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"{path}: the cache folder cannot be made ({error.strerror}); set SIMWORLD_CACHE to a"
            " folder you can write to"
        ) from None
    return path


def file_hash(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits; of a big file remembered by path, size and time of
    change.
    """
    status = path.stat()
    if status.st_size < HASH_CACHE_MIN_BYTES:
        return _sha256(path)
    name = hashlib.sha256(
        f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}".encode()
    ).hexdigest()
    hash_file = cache_root() / "hashes" / name
    try:
        remembered = hash_file.read_text()
        if len(remembered) == 64:
            return remembered
    except OSError:
        pass
    digest = _sha256(path)
    try:  # a cache that cannot be written only costs time
        hash_file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=hash_file.parent, delete=False) as file:
            file.write(digest)
        os.replace(file.name, hash_file)
    except OSError:
        pass
    return digest


def content_files(folder: Path, patterns: Sequence[str], *, recursive: bool = False) -> list[Path]:
    """The files of a model's folder whose names match; with `recursive`, those of folders in
    it too.

    Raises ModelError, one line, for a folder of very many entries, one that cannot be read, a match
    that is no file, and a file of text that is far too large.
    """
    matching_files: list[Path] = []
    entry_count = 0
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    entry_count += 1
                    if entry_count > MAX_FOLDER_FILES:
                        raise ModelError(
                            f"{folder}: more than {MAX_FOLDER_FILES:,} files; this is no folder"
                            " of a model"
                        )
                    if recursive and entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif any(fnmatchcase(entry.name, pattern) for pattern in patterns):
                        matching_files.append(_check_size(Path(entry.path)))
        except OSError as error:
            raise ModelError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return sorted(matching_files)


def _check_size(path: Path) -> Path:
    try:
        size = regular_file_size(path)
    except InputError as error:
        raise ModelError(str(error)) from None
    if path.suffix in TEXT_SUFFIXES and size > MAX_TEXT_BYTES:
        raise ModelError(
            f"{path}: is larger than {MAX_TEXT_BYTES >> 20} MiB, the most that is read here"
        )
    return path


def folder_hash(paths: Iterable[Path]) -> str:
    """SHA-256 over the names and contents of files, whatever their order, as 64 hex digits."""
    lines = sorted(f"{path.name} {file_hash(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
