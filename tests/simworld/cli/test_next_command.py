"""The line that ends a command and names the next one: in every command that makes or changes
something."""

from __future__ import annotations

import ast
import inspect
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from agents.lm import load_backend
from simworld.cli import cli
from simworld.core.errors import Failure
from simworld.core.protocols import Backend
from simworld.core.requests import Request
from simworld.testing import FakeBackend

# What only shows or checks something may end as it likes; `demo` ends with several to try, and
# `serve` is stopped by hand.
READS = {
    *(
        "demo",
        "serve",
        "check",
        "scenario list",
        "scenario show",
        "scenario check",
        "scenario schema",
    ),
    *("agent list", "agent show", "agent check", "agent schema", "model list", "rubric schema"),
    *("persona check", "persona schema", "rubric check", "extension list"),
    *(
        "judge agree",
        "judge list",
        "judge show",
        "judge schema",
        "train inspect",
        "train explain",
        "tournament schema",
    ),
    *("episode replay", "db info", "db query"),
}

SCENARIO = """\
name: tiny
setting: A hall
limits: {turns: 2}
seats:
  - {name: a, persona: {name: Ann}, goal: g}
  - {name: b, persona: {name: Ben}, goal: h}
"""
LM = "name: lm\nmodel: openai:m@http://127.0.0.1:1/v1\nretries: 0\n"  # where nobody answers
CUP = "name: cup\nagents: [al.yaml, bo.yaml]\nscenarios: [tiny.yaml]\njudges: [judge.yaml]\n"
JUDGE = "name: strict\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\n"


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def home(command: click.Command) -> str:
    """The source of the module in which a command is written."""
    callback = command.callback
    assert callback is not None
    return inspect.getsource(sys.modules[inspect.unwrap(callback).__module__])


@pytest.mark.parametrize("name", sorted(name for name, _ in commands(cli) if name not in READS))
def test_every_command_that_makes_something_names_the_next_one(name: str) -> None:
    command = dict(commands(cli))[name]
    called = {
        node.func.id
        for node in ast.walk(ast.parse(home(command)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & {"suggest_next", "suggest_again", "suggest_report"}


def test_only_commands_that_exist_are_left_out() -> None:
    assert set(dict(commands(cli))) >= READS


def answering(answer: Callable[[Request], Failure] | None = None) -> Callable[..., Backend]:
    """Loads a fake for built-in models."""
    return lambda model, **given: (
        FakeBackend(answer) if model.startswith("builtin:") else load_backend(model, **given)
    )


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study in the working folder, on a model that answers at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("simworld.runner.agent_pool.load_backend", answering())
    for name in ("al", "bo"):
        Path(f"{name}.yaml").write_text(f"name: {name}\nkind: scripted\nlines: ['I am {name}.']\n")
    for name, text in {"tiny": SCENARIO, "lm": LM, "cup": CUP, "judge": JUDGE}.items():
        Path(f"{name}.yaml").write_text(text)


def simworld(line: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(line))


def following(line: str, *, code: int = 0) -> str:
    """The command that a command names, which is its last line on standard output, and the only one
    of its kind."""
    result = simworld(line)
    assert result.exit_code == code, (result.output, result.exception)
    lines = [line for line in result.stdout.splitlines() if line.startswith("next: ")]
    assert len(lines) == 1
    assert result.stdout.splitlines()[-1] == lines[0]
    return lines[0].removeprefix("next: simworld ")


def follow(line: str, *, most: int = 9) -> list[str]:
    """The commands that name each other, up to one that shows pages or repeats itself."""
    found = [line]
    while len(found) < most and not found[-1].startswith("serve"):
        found.append(following(found[-1]))
    return [
        command.rsplit(" ", 1)[0] if command.startswith("episode show") else command
        for command in found
    ]


def test_from_a_run_to_an_episode_and_the_pages() -> None:
    assert follow("run tiny.yaml --cast '*=al.yaml'") == [
        "run tiny.yaml --cast '*=al.yaml'",
        "judge run",
        "episode list",
        "episode show",
        "serve",
    ]


def test_from_a_tournament_to_an_episode_and_the_pages() -> None:
    assert follow("tournament check cup.yaml") == [
        "tournament check cup.yaml",
        "tournament run cup.yaml",
        "report cup --out cup.html",
        "episode list --run cup",
        "episode show",
        "serve",
    ]
    assert following("tournament status cup.yaml") == "tournament standings cup.yaml"
    assert following("tournament standings cup.yaml") == "report cup --out cup.html"
    assert following("tournament compare cup.yaml al bo") == "report cup --out cup.html"


def test_what_is_left_is_played_by_the_next_command() -> None:
    assert following("tournament status cup.yaml --db s.db") == "tournament run cup.yaml --db s.db"
    assert (
        following("tournament run cup.yaml --dry-run --live 3")
        == "tournament run cup.yaml --live 3"
    )
    assert (
        following("run tiny.yaml --dry-run --agents al.yaml,bo.yaml")
        == "run tiny.yaml --agents al.yaml,bo.yaml"
    )


RETRIED = {
    "run tiny.yaml --cast '*=lm.yaml'": 1,
    "run --cast '*=lm.yaml' -- tiny.yaml": 1,
    "run tiny.yaml --agents lm.yaml,lm.yaml --agents al.yaml,bo.yaml": 0,  # some of it went well
    "evaluate --agents a=lm.yaml,b=al.yaml --scenarios tiny.yaml --partners bo.yaml --lexical am --quality 0": (
        0
    ),
}


@pytest.mark.parametrize("line", RETRIED)
def test_what_failed_is_tried_again_by_the_next_command(line: str) -> None:
    again = following(line, code=RETRIED[line])
    assert again == (
        line.replace(" -- ", " --retry-failed -- ") if " -- " in line else f"{line} --retry-failed"
    )
    assert following(again, code=1 if line.startswith("run") else 0) == again  # it failed again


def test_failed_judgements_are_tried_again_by_the_next_command() -> None:
    assert following("run tiny.yaml --cast '*=al.yaml' --name r") == "judge run"
    with pytest.MonkeyPatch.context() as down:
        failure = Failure(boundary="model", kind="timeout", message="no answer")
        down.setattr("simworld.runner.agent_pool.load_backend", answering(lambda _: failure))
        assert following("judge run --run r") == "judge run --run r --retry-failed"
        assert following("judge check") == "judge check"
    assert following("judge run --run r --retry-failed") == "episode list --run r"


def test_after_a_check_its_database_is_kept() -> None:
    assert following("judge check --db own.db") == "judge run --db own.db"
    assert following("judge check") == "judge run"


def test_a_tournament_in_which_everything_failed_names_the_same_command() -> None:
    Path("cup.yaml").write_text(CUP.replace("al.yaml, bo.yaml", "lm.yaml, lm2.yaml"))
    Path("lm2.yaml").write_text(LM.replace("lm", "lm2", 1).replace("openai:m", "openai:m2"))
    result = simworld("tournament run cup.yaml")
    assert "every episode of tournament 'cup' failed" in str(result.exception)
    assert result.stdout.splitlines()[-1] == "next: simworld tournament run cup.yaml --retry-failed"
    assert following("tournament status cup.yaml") == "tournament run cup.yaml --retry-failed"


def test_no_line_for_programs() -> None:
    for line in (
        "run tiny.yaml --cast '*=al.yaml' --json",
        "judge run --json",
        "episode list --json",
    ):
        assert "next: " not in simworld(line).stdout
