"""`-v`: what is said, to whom, and what never."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simworld.cli import cli
from simworld.cli.verbose import LOGGER, StderrHandler
from simworld.jobs.progress import progress_bar
from tests.agents.lm.server.faults import ANSWER, FaultyServer, serving

SCENE = """\
name: kitchen
setting: A kitchen in the evening.
seats:
  - {name: cook, persona: {name: Ann Lee}, goal: Get help with the dishes.}
  - {name: guest, persona: {name: Bo Ek}, goal: Leave early.}
limits: {turns: 2}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kitchen.yaml").write_text(SCENE)
    (tmp_path / "polite.yaml").write_text("name: polite\nkind: scripted\nlines: [Yes., No.]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as made:
        yield made


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def play(*options: str, agent: str = "polite.yaml") -> Result:
    return call("run", "kitchen.yaml", "--cast", f"*={agent}", "--db", "x.db", *options)


def said(done: Result) -> list[str]:
    """What was logged, without the time."""
    return [line.partition(" ")[2] for line in done.stderr.splitlines() if " simworld." in line]


def test_nothing_is_said_unless_asked_for(folder: Path) -> None:
    assert play().stderr == ""


def test_v_says_which_files_were_meant_and_what_is_done(folder: Path) -> None:
    done = play("-v")
    assert done.exit_code == 0
    lines = said(done)
    assert "simworld.scenarios.selection: scenarios of 'kitchen.yaml': 1" in lines
    assert "simworld.agents.agent_spec: agent 'polite.yaml' is in polite.yaml" in lines
    assert "simworld.store.connection: database x.db: made anew" in lines
    (run_line,) = [line for line in lines if "1 to play" in line]
    assert run_line.startswith("simworld.runner.stored_run: run run-")
    assert "1 episodes planned, 0 there already" in run_line
    assert done.stdout == play().stdout.replace("0 episodes played", "1 episode played").replace(
        "1 already there", "0 already there"
    )
    assert any("1 there already, 0 to play" in line for line in said(play("-v")))


def test_vv_says_more_before_the_command_or_behind_it(folder: Path) -> None:
    detailed = said(play("-vv"))
    assert any("episode of 'kitchen', repeat 0, attempt 1: " in line for line in detailed)
    for more in (
        call("-vv", "scenario", "show", "kitchen.yaml"),
        call("-v", "scenario", "show", "kitchen.yaml", "-v"),
        call("scenario", "-v", "show", "-v", "kitchen.yaml"),
    ):
        assert any("scenario 'kitchen' is in kitchen.yaml" in line for line in said(more))
    assert not any("scenario 'kitchen' is in" in line for line in said(play("-v")))


def test_the_handler_goes_with_the_command(folder: Path) -> None:
    play("-vv")
    logger = logging.getLogger(LOGGER)
    assert not any(isinstance(handler, StderrHandler) for handler in logger.handlers)
    assert logger.level == logging.NOTSET


def test_importing_installs_no_handler() -> None:
    code = (
        "import logging, simworld, simworld.cli.commands; simworld.run; simworld.judge;"
        " print(logging.getLogger('simworld').handlers, logging.getLogger().handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == "[] []\n"


def test_python_sees_it_with_a_handler_of_its_own(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import simworld

    with caplog.at_level(logging.INFO, "simworld"):
        simworld.run("kitchen.yaml", "polite.yaml", db="x.db")
    assert "simworld.runner.stored_run" in {record.name for record in caplog.records}
    assert max(record.levelno for record in caplog.records) == logging.INFO


def test_retries_are_said_and_keys_never(
    folder: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-abc123secret"
    monkeypatch.setenv("MY_KEY", secret)
    (folder / "lm.yaml").write_text(
        f"name: lm\nmodel: openai:m@{server.url}\napi_key_env: MY_KEY\nretries: 3\n"
        "max_similarity: 1\nreasks: 0\n"
    )
    asked = 0

    def rule(body: object) -> tuple[int, object] | None:
        nonlocal asked
        asked += 1
        if asked == 1:
            return 500, {"error": {"message": f"the key {secret} is slow"}}
        return 200, ANSWER

    server.rule = rule
    done = play("-vv", agent="lm.yaml")
    assert any(f"Bearer {secret}" in "".join(h.values()) for h in server.headers)
    lines = said(done)
    assert any("request failed (http-500): attempt 2 of 4 in " in line for line in lines), (
        done.stderr
    )
    assert any(f"model m of {server.url}: up to 8 requests at once" in line for line in lines)
    assert secret not in done.output


def test_passwords_of_databases_are_not_said(folder: Path) -> None:
    done = CliRunner().invoke(
        cli, ["db", "info", "-vv", "--db", "postgresql://me:hunter2@127.0.0.1:1/none"]
    )
    assert done.exit_code != 0
    assert "hunter2" not in f"{done.output}{done.exception}"


def test_what_is_said_while_a_bar_is_shown_is_harmless_and_stands_on_lines_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger, handler = logging.getLogger("simworld.test"), StderrHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with progress_bar("playing") as bar:
            bar(1, 3)
            logger.info("file %s", "a\x1b[2Jb")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert capsys.readouterr().err == "file a\\x1b[2Jb\n"


def test_a_stream_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("simworld.cli.verbose.click.echo", broken)
    record = logging.LogRecord("simworld.x", logging.INFO, "f", 1, "said", (), None)
    StderrHandler().emit(record)
