"""Each stage of a loop shows its own progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.factories.pipelines import FILE, call


class Bar:
    """What was shown of each stage."""

    def __init__(self) -> None:
        self.shown: dict[str, list[tuple[int, int, str]]] = {}

    def begin(self, label: str) -> None:
        self.stage: list[tuple[int, int, str]] = []
        self.shown[label.rsplit("-", 1)[0]] = self.stage

    def __call__(
        self, done: int, total: int, note: str = "", *, share: float | None = None
    ) -> None:
        self.stage.append((done, total, note))


def test_every_stage_that_takes_long_shows_its_own_progress(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "loop.yaml").write_text(
        FILE.replace("{quality: 0}", "{quality: 0, arms: [base, clone]}")
    )
    bar = Bar()

    @contextmanager
    def progress_bar(label: str) -> Iterator[Bar]:
        yield bar

    monkeypatch.setattr("simworld.cli.learn.progress_bar", progress_bar)
    call()
    assert list(bar.shown) == [
        "upmap",
        "replies",
        "clone",
        "collect",
        "dataset",
        "train",
        "evaluate",
    ]
    assert bar.shown["replies"][-1] == (4, 4, "episodes; 0 failed")
    assert bar.shown["collect"][-1] == (8, 8, "episodes; 0 failed")
    # Two scenarios; the base beside itself fills both seats at once, the clone sits in each once.
    assert bar.shown["evaluate"][-1] == (6, 6, "episodes; 0 failed")
    assert bar.shown["train"][-1][:2] == (4, 4)
    assert (1, 1, "learning") in bar.shown["clone"]
    assert [note for _, _, note in bar.shown["clone"] if note == "measuring"]

    bar.shown.clear()
    call()  # nothing begins, for all is done
    assert not bar.shown
