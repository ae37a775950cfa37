"""`simworld episode replay`: turn by turn at a terminal, at once without one, and as one seat saw
it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import store
from simworld.cli.episode import episode
from simworld.core.episode import Act, Action, ActionKind, Turn
from simworld.core.errors import InputError
from tests.factories.stored import add, begin, item, played

ID = item().episode_id(1)
SAID = ("Good evening.\x1b[31m", "Hello.", "psst", "Sixty?")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One episode: two acts, a note that the seller makes to itself alone, and an offer."""
    path = tmp_path_factory.mktemp("db") / "world.db"
    with store.open_store(str(path), create=True) as opened:
        work = begin(opened)[0]
        acts = [
            Act(seat=seat, action=Action(kind=ActionKind.speak, text=text, to=to))
            for seat, text, to in zip(
                ("seller", "buyer", "seller", "buyer"), SAID, ((), (), ("seller",), ()), strict=True
            )
        ]
        turns = tuple(Turn(index=index, acts=(act,)) for index, act in enumerate(acts))
        add(opened, work, replace(played(work), turns=turns))
    return path


def run(path: Path, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(episode, ["replay", ID[:12], *args, "--db", str(path)])
    assert result.exit_code == code, result.output
    return result


def test_without_a_terminal_everything_comes_at_once(path: Path) -> None:
    out = run(path).stdout
    assert "\x1b" not in out
    lines = [line.strip() for line in out.splitlines() if line]
    assert lines[4:] == [
        "1 Nadia Brandt: Good evening.\\x1b[31m",
        "2 Tomás Okafor 🎻: Hello.",
        "3 Nadia Brandt (only to Nadia Brandt): psst",
        "4 Tomás Okafor 🎻: Sixty?",
        "Ended after 4 turns: turn_limit",
    ]
    assert run(path, "--all").stdout == out
    assert run(path, "--speed", "60000").stdout == out


def test_a_seat_sees_neither_secrets_nor_private_acts_of_others(path: Path) -> None:
    buyer = run(path, "--seat", "buyer").stdout
    assert "goal: Buy." in buyer
    assert "knows: Sold out." in buyer
    assert "others: Nadia (an acquaintance): Nadia Brandt, 41." in buyer
    assert not any(hidden in buyer for hidden in ("Bad view.", "Sell.", "psst"))
    seller = run(path, "--seat", "seller").stdout
    assert "secret: Bad view." in seller
    assert "psst" in seller


def test_an_unknown_seat_and_options_that_exclude_each_other(path: Path) -> None:
    result = run(path, "--seat", "byer", code=1)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == f"no seat 'byer' in episode {ID}; did you mean 'buyer'?"
    assert "exclude each other" in run(path, "--all", "--speed", "1", code=2).output


@pytest.mark.parametrize(
    ("keys", "seen"), [("\n\nq\n", 2), ("\na\n", 4), ("\n\x04", 1)], ids=["stop", "all", "end"]
)
def test_a_terminal_shows_a_turn_for_each_enter(path: Path, keys: str, seen: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "simworld", "episode", "replay", ID, "--db", str(path)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, keys.encode())
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert process.wait(20) == 0
    text = shown.decode()
    assert [line in text for line in SAID[1:]] == [n < seen for n in (1, 2, 3)]
    assert ("Ended after" in text) == (seen == 4)
