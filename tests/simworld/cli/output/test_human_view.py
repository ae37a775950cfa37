"""A person's seat at a real terminal: what stands on the screen, and what is left to play after
they stop."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from store import open_store

SCENARIO = """\
name: stairs
setting: The stairs of a house.
seats:
  - {name: tenant, persona: {name: Ann Lee, age: 30}, goal: Get the key., secret: You lost yours.}
  - {name: porter, persona: {name: Bo Ek}, goal: Keep the key.}
  - {name: boy, persona: {name: Dan Fox}, goal: Listen.}
limits: {turns: 5}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stairs.yaml").write_text(SCENARIO)
    (tmp_path / "me.yaml").write_text("name: me\nkind: human\n")
    (tmp_path / "porter.yaml").write_text(
        "name: p\nkind: scripted\nlines: ['Good evening.', 'No.']\n"
    )
    (tmp_path / "boy.yaml").write_text(
        "name: b\nkind: scripted\nlines: ['(to Porter) She lies.', 'Yes.']\n"
    )
    return tmp_path


def at_a_terminal(folder: Path, *typed: str) -> tuple[str, int]:
    """The screen of a run, and its exit code; each text is typed as soon as something is asked
    for."""
    command = [
        sys.executable,
        "-m",
        "simworld",
        "run",
        "stairs.yaml",
        "--repeats",
        "2",
        "--db",
        "x.db",
    ]
    command += ["--agents", "me.yaml,porter.yaml,boy.yaml"]
    pid, screen = pty.fork()
    if not pid:
        os.chdir(folder)
        os.execv(command[0], command)
    seen, left, until = b"", list(typed), time.monotonic() + 120
    while time.monotonic() < until:
        if not select.select([screen], [], [], 1.0)[0]:
            continue
        try:
            seen += os.read(screen, 4096)
        except OSError:  # the command has ended
            break
        if left and seen.endswith(b"Ann: "):
            os.write(screen, left.pop(0).encode())
    return seen.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


HEAD = """\
── You are Ann ──
Setting: The stairs of a house.
You: Ann Lee, 30
With you: Porter is a stranger. Boy is a stranger.
Your goal: Get the key.
Your secret: You lost yours.
Type what Ann says; [nods] or [opens the window] for a gesture or an act; (to Porter) first for Porter alone; \
[says nothing] to let the turn pass; [leaves] to leave for good.
"""


def test_a_person_sees_their_seat_one_conversation_at_a_time_and_no_bar(folder: Path) -> None:
    screen, code = at_a_terminal(folder, "Hello.\n", "(to Boy) Shh.\n", "[nods]\n", "[leaves]\n")
    first = "Ann: Hello.\nPorter: Good evening.\nAnn: (to Boy) Shh.\nPorter: No.\n"
    second = "Ann: [nods]\nPorter: Good evening.\nAnn: [leaves]\nPorter: No.\n"
    over = "── The conversation is over: {} of 2. ──\n"
    assert screen.startswith(HEAD + first + over.format(1) + HEAD + second + over.format(2))
    assert "2 episodes played (0 failed)" in screen
    assert "\x1b[" not in screen  # nothing is drawn
    assert code == 0


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 2)])
def test_a_person_who_stops_can_go_on_later(folder: Path, key: str, code: int) -> None:
    screen, left = at_a_terminal(folder, "Hello.\n", "Bye.\n", key)
    assert left == code
    assert "Traceback" not in screen
    assert "the same command plays the rest" in screen
    with open_store(str(folder / "x.db")) as store:
        assert len(store.episode_summaries()) == 1  # the one that was over
    screen, left = at_a_terminal(folder, "Hello.\n", "Bye.\n")
    assert left == 0
    assert "1 episode played (0 failed), 1 already there" in screen
