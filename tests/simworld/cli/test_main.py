"""The command itself: exit codes, one-line errors, and help that loads nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from simworld.cli import COMMANDS, cli, main
from simworld.core.errors import SimworldError, StoreError


@pytest.mark.parametrize(
    ("raised", "code", "shown"),
    [
        (click.exceptions.Exit(3), 3, ""),
        (SimworldError("one line"), 1, "Error: one line\n"),
        (StoreError("x.db is locked"), 1, "Error: x.db is locked\n"),
        (click.UsageError("no such option"), 2, "no such option"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
    ],
)
def test_what_a_command_raises_becomes_an_exit_code(
    raised: BaseException,
    code: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def fails() -> None:
        raise raised

    monkeypatch.setattr(
        "simworld.cli.lazy_group.LazyGroup.get_command", lambda self, ctx, name: fails
    )
    monkeypatch.setattr(sys, "argv", ["simworld", "run"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    assert shown in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(
        "simworld.cli.lazy_group.LazyGroup.get_command", lambda self, ctx, name: fails
    )
    monkeypatch.setattr(sys, "argv", ["simworld", "run"])
    with pytest.raises(RuntimeError, match="a bug"):
        main()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_has_help(name: str) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    assert command.name == name
    assert command.help
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, (name, option.name)


def test_an_unknown_command_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simworld", "rnu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "No such command 'rnu'" in done.stderr


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """A command line in which `simworld` is this one; its exit code is simworld's and not that of
    what it is piped to."""
    line = f'simworld() {{ "{sys.executable}" -m simworld "$@"; }}; set -o pipefail; {command}'
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("command", ["scenario list", "scenario schema", "db info --columns"])
def test_output_that_nobody_reads_or_that_finds_no_space(command: str) -> None:
    unread = shell(f"simworld {command} | true")
    assert (unread.returncode, unread.stderr.replace("61 scenarios\n", "")) in ((0, ""), (1, ""))
    full = shell(f"simworld {command} >/dev/full")
    assert full.returncode == 1
    assert full.stderr.splitlines()[-1].startswith(
        "Error: the output cannot be written: No space left on device"
    )
    assert "Traceback" not in full.stderr


def test_closed_streams_are_no_error() -> None:
    done = shell("simworld scenario schema >&- 2>&- <&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "given", ["scenario show", "agent show", "judge show", "episode show", "agent check", ""]
)
def test_messages_repeat_no_control_characters(given: str) -> None:
    done = shell(f"simworld {given} $'a\\e[31m\\u202e.yaml'")
    assert done.returncode in (1, 2)
    assert (
        r"a\x1b[31m\u202e.yaml" in done.stderr
        or "\\x1b[31m" in done.stderr
        or given == "episode show"
    )
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


STRANGE = """\
name: strange
setting: "售票处 – naïve"
seats:
  - {name: a, persona: {name: "🦄 O'Malley"}, goal: "שלום"}
  - {name: b, persona: {name: "עמית"}, goal: h}
"""


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict", "utf-8"])
def test_an_output_that_cannot_show_a_character_shows_an_escape(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "s.yaml").write_text(STRANGE, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(
        'name: a\nkind: scripted\nlines: ["你好 🦄"]\n', encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    commands = (
        ["run", "s.yaml", "--cast", "*=a.yaml", "--name", "r🦄"],
        ["scenario", "show", "s.yaml"],
        ["scenario", "check", "gone🦄.yaml"],
        ["episode", "list"],
        ["db", "query", "select text from acts"],
    )
    shown = b""
    for command in commands:
        line = [sys.executable, "-m", "simworld", *command]
        done = subprocess.run(line, capture_output=True, cwd=tmp_path, env=environment, timeout=60)
        assert done.returncode == (2 if "check" in command else 0), done.stderr
        assert b"Traceback" not in done.stderr
        shown += done.stdout + done.stderr
    assert ("🦄".encode() if encoding == "utf-8" else rb"\U0001f984") in shown


def test_a_path_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def fails() -> None:
        Path("x" * 5000).exists()

    monkeypatch.setattr(
        "simworld.cli.lazy_group.LazyGroup.get_command", lambda self, ctx, name: fails
    )
    monkeypatch.setattr(sys, "argv", ["simworld", "run"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Error: xxx")
    assert shown.endswith("…: File name too long\n")
