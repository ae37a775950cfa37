"""The command itself: exit codes, one-line errors, and help that loads nothing heavy."""

import subprocess
import sys

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

    monkeypatch.setattr("simworld.cli.LazyGroup.get_command", lambda self, ctx, name: fails)
    monkeypatch.setattr(sys, "argv", ["simworld", "run"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    assert shown in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("simworld.cli.LazyGroup.get_command", lambda self, ctx, name: fails)
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
    done = subprocess.run([sys.executable, "-m", "simworld", "rnu"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "No such command 'rnu'" in done.stderr
