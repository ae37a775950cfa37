"""What a bar says on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress, ProgressColumn

from simworld.jobs import progress
from simworld.jobs.progress import playing_bar, progress_bar
from simworld.runner.stored_run import RunProgress
from tests.waiting import until


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("playing") as show, playing_bar() as tell:
        show(1, 3, "a note", share=0.5)
        show(0, 0)
        tell(RunProgress(planned=3, finished_before=0, played=1, new_tokens=100, done_share=0.5))
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_plain_lines_come_though_the_work_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    with progress_bar("cloning", interval_s=0.01, clock=lambda: now) as show:
        show(0, 8, "reading")
        now = 20.0
        show(1, 8, "reading")
        now = 30.0
        show(2, 8, "reading")
        said: list[str] = []

        def two_lines_more() -> bool:
            said.append(capsys.readouterr().err)  # after those of the beginning, if any
            return "".join(said).count("cloning: 2 of 8") >= 2

        until(two_lines_more)
    lines = "".join(said).splitlines()
    assert "cloning, reading: about 2 min in all, at the pace of the first pieces" in lines
    assert lines.count("cloning: 2 of 8, 30 s gone, 4 a minute, about 60 s left, reading") >= 2


def test_a_run_that_is_not_shown_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with playing_bar(visible=False) as tell:
        tell(RunProgress(planned=3, finished_before=0, played=1, new_tokens=100, done_share=0.5))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_episodes_tokens_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    clock = iter([100.0, 102.0])
    monkeypatch.setattr("simworld.jobs.progress.time.monotonic", lambda: next(clock, 102.0))
    with playing_bar() as tell:
        tell(RunProgress(planned=9, finished_before=2, played=0, new_tokens=10, done_share=0.1))
        tell(
            RunProgress(
                planned=9, finished_before=2, played=1, failed=1, new_tokens=250, done_share=0.2
            )
        )
    assert "3/9" in drawn.getvalue()
    assert "120 tokens/s · 1 failed" in drawn.getvalue()


def test_a_bar_begins_anew_with_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    bars: list[Progress] = []

    def made(*columns: ProgressColumn, **settings: Any) -> Progress:
        bars.append(Progress(*columns, **settings))
        return bars[-1]

    monkeypatch.setattr(progress, "Progress", made)
    with progress_bar("learning") as show:
        (bar,) = bars
        show.begin("collect-1")
        show(4, 4, "episodes")
        assert bar.tasks[0].finished
        show.begin("clone-2")
        assert (bar.tasks[0].description, bar.tasks[0].total, bar.tasks[0].finished) == (
            "clone-2",
            None,
            False,
        )
        show(700, 700, "reading")
        show(1, 120, "learning")
        assert not bar.tasks[0].finished
        assert bar.tasks[0].completed == pytest.approx(1 / 120)
        assert bar.tasks[0].fields == {"count": "1/120", "note": "learning"}
