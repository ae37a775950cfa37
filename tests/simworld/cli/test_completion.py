"""What click's shell completion gives for names, on lines as a shell sends them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from simworld.cli import cli


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMWORLD_DB", raising=False)
    (tmp_path / "kitchen.yaml").touch()
    (tmp_path / "cups").mkdir()
    (tmp_path / "cups" / "spring.yaml").touch()


def complete(line: str) -> list[str]:
    *words, incomplete = line.split(" ")
    found = ShellComplete(cli, {}, "simworld", "_SIMWORLD_COMPLETE").get_completions(
        words, incomplete
    )
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ch", ["check"]),
        ("judge sc", ["schema"]),
        ("run kit", ["kitchen.yaml"]),
        ("run heldo", ["heldout"]),
        ("run exa", ["exam", "exam-in-the-drawer"]),
        ("run last-conc", ["last-concert-ticket"]),
        ("scenario show last-conc", ["last-concert-ticket"]),
        ("agent show smol-th", ["smol-thank-or-propose", "smol-thanks"]),
        (
            "run x --agents smol-script,smol-th",
            ["smol-script,smol-thank-or-propose", "smol-script,smol-thanks"],
        ),
        ("run x --cast *=smol-th", ["*=smol-thank-or-propose", "*=smol-thanks"]),
        ("judge run --judge smol-st", ["smol-statements"]),
        ("judge show serv", ["server"]),
        ("tournament run cups/", ["cups/spring.yaml"]),
        ("judge run --run x", []),
    ],
)
def test_names(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


def test_runs_of_the_database_that_the_line_names() -> None:
    Path("kitchen.yaml").write_text(
        "name: k\nsetting: S\nseats: [{name: a, goal: g, persona: {name: Ann}}, {name: b, goal: g,"
        " persona: {name: Bo}}]\nlimits: {turns: 1}\n"
    )
    Path("says.yaml").write_text("name: says\nkind: scripted\nlines: [Hello.]\n")
    for name in ("first", "second"):
        play = ["run", "kitchen.yaml", "--cast", "*=says", "--db", "x.db", "--name", name]
        assert CliRunner().invoke(cli, play, catch_exceptions=False).exit_code == 0
    assert complete("judge run --db x.db --run ") == ["second", "first"]
    assert complete("judge run --db x.db --run f") == ["first"]
