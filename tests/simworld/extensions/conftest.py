"""A folder to install into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.extensions import Installation


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """Nothing is installed in it yet; what was is forgotten afterwards."""
    made = Installation(tmp_path / "site", monkeypatch)
    yield made
    made.forget_code()
