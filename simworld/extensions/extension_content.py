"""The content of an extension's code, as one hash: what it does may change without its version."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import lru_cache
from pathlib import Path

from simworld.core.errors import InputError

MAX_FILES = 5_000  # of a package
MAX_BYTES = 64 << 20


def module_content(module: str) -> str:
    """16 hex digits of the SHA-256 of an imported module; of one inside a package, of every file of
    that package, for a module may call its neighbours and read data beside them.

    Raises InputError where there is too much, and where no file is to be found.
    """
    home = _outermost_home(module)
    if home is None:
        raise InputError(f"the code of {module} lies in no file, so it cannot be hashed")
    files = _files(home)
    status = [(str(path), os.stat(path)) for path in files]
    stamps = tuple((name, each.st_size, each.st_mtime_ns) for name, each in status)
    if sum(size for _, size, _ in stamps) > MAX_BYTES:
        raise InputError(
            f"{home} holds more than {MAX_BYTES >> 20} MiB; keep data outside of the package"
        )
    return _hash(str(home), stamps)


def _outermost_home(module: str) -> Path | None:
    """The folder of the outermost package that is no namespace, or the module's own file."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        file = getattr(sys.modules.get(".".join(parts[:count])), "__file__", None)
        if file is not None:
            path = Path(file)
            return path.parent if path.name.startswith("__init__.") else path
    return None


def _files(home: Path) -> list[Path]:
    if home.is_file():
        return [home]
    files: list[Path] = []
    for folder, folders, names in os.walk(home):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        files += [Path(folder, name) for name in names if not name.endswith(".pyc")]
        if len(files) > MAX_FILES:
            raise InputError(f"{home} holds more than {MAX_FILES} files; keep data outside of it")
    return sorted(path for path in files if path.is_file())


@lru_cache(maxsize=64)
def _hash(home: str, stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, _, _ in stamps:
        content = Path(name).read_bytes()
        relative = os.path.relpath(name, home).replace(os.sep, "/")
        digest.update(f"{relative}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
