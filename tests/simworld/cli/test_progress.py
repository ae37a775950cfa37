"""What a bar says, and that it says nothing where nobody looks."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simworld.cli import progress
from simworld.cli.progress import Rate, playing_bar, progress_bar
from simworld.runner.stored import Progress


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(over_s=10)
    assert rate.per_s(0, 100.0) == 0
    assert rate.per_s(50, 101.0) == 50
    assert rate.per_s(100, 105.0) == 20
    assert rate.per_s(1100, 115.0) == 100  # since 105: what was before is forgotten
    assert rate.per_s(1100, 116.0) == pytest.approx(1000 / 11)
    assert rate.per_s(1100, 130.0) == 0


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("playing") as show, playing_bar() as tell:
        show(1, 3, "a note", share=0.5)
        show(0, 0)
        tell(Progress(planned=3, before=0, played=1, new_tokens=100, share=0.5))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_episodes_tokens_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    clock = iter([100.0, 102.0])
    monkeypatch.setattr("simworld.cli.progress.time.monotonic", lambda: next(clock, 102.0))
    with playing_bar() as tell:
        tell(Progress(planned=9, before=2, played=0, new_tokens=10, share=0.1))
        tell(Progress(planned=9, before=2, played=1, failed=1, new_tokens=250, share=0.2))
    assert "3/9" in drawn.getvalue()
    assert "120 tokens/s · 1 failed" in drawn.getvalue()
