"""What the code reads of its own is in a wheel: every file beside the modules is named in
`pyproject.toml`."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path, PurePath

import pytest

HOME = Path(__file__).parents[2]
PATTERNS = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
    "package-data"
]
LEFT_OUT = {".pyc", ".mako"}  # what Python makes, and what only writes new migrations


@pytest.mark.parametrize("package", ["agents", "scenarios", "simworld", "store"])
def test_every_data_file_is_packaged(package: str) -> None:
    folder = HOME / package
    packaged = {path for pattern in PATTERNS[package] for path in folder.glob(pattern)}
    files = {
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".py", *LEFT_OUT}
    }
    assert files <= packaged, sorted(str(path.relative_to(HOME)) for path in files - packaged)


def test_the_shipped_tournament_is_beside_the_code() -> None:
    patterns = PATTERNS["simworld"]
    shipped = PurePath("tournaments/library/small.yaml")
    assert (HOME / "simworld" / shipped).is_file()
    assert any(fnmatch.fnmatch(str(shipped), pattern) for pattern in patterns)
