"""Ctrl-C at any moment from the first line on: one line at most, exit code 130, never a
traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AGENT = "name: al\nkind: scripted\nlines: [hi, ho]\n"
SCENARIO = """\
name: tiny
setting: x
seats:
  - {name: a, persona: {name: Ann}, goal: g}
  - {name: b, persona: {name: Ben}, goal: h}
"""

# A child that is interrupted at the very moment at which it looks for a module.
AT_A_MODULE = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
            {again}
sys.meta_path.insert(0, Interrupting())
from simworld.cli import main
sys.argv = ["simworld", *{arguments!r}]
sys.exit(main())
"""
GOES_ON = "Stopped; the same command goes on from here."
RUN = ["run", "tiny.yaml", "--cast", "*=al.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "al.yaml").write_text(AGENT)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("simworld.cli.run_command", ["--help"]),
        ("click", ["--help"]),
        ("simworld.cli.output.text", ["--help"]),
        ("simworld.name_clash_check", RUN),
        ("simworld.cli.run", RUN),
        ("yaml", RUN),
        ("pydantic", RUN),
        ("sqlalchemy", RUN),
        ("simworld.runner.conversations", RUN),
        ("simworld.cli.train.upmap", ["train", "upmap", "--out", "x"]),
        ("torch", ["train", "upmap", "--out", "x"]),
    ],
)
def test_while_a_module_is_loaded(
    folder: Path, module: str, arguments: list[str], times: int
) -> None:
    again = "os.kill(os.getpid(), signal.SIGINT)" if times == 2 else ""
    code = AT_A_MODULE.format(module=module, arguments=arguments, again=again)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert done.returncode == 130, done.stderr
    # once the command itself has begun
    assert " ".join(done.stderr.split()) in ("Stopped.", GOES_ON)


LOADING = {
    "run": ["run", "tiny.yaml", "--cast", "*=lm.yaml"],
    "evaluate": [
        *("evaluate", "--agents", "a=lm.yaml,b=al.yaml", "--scenarios", "tiny.yaml"),
        *("--partners", "al.yaml", "--lexical", "hi"),
    ],
    "tournament": ["tournament", "run", "cup.yaml"],
    "learn": ["learn", "small"],
    "demo": ["demo"],
}


@pytest.mark.parametrize("arguments", LOADING.values(), ids=LOADING)
def test_while_a_model_is_loaded_it_says_that_the_same_command_goes_on(
    folder: Path, arguments: list[str]
) -> None:
    (folder / "lm.yaml").write_text("name: lm\nmodel: builtin:smollm2-135m-instruct\n")
    (folder / "cup.yaml").write_text(
        "name: cup\nagents: [lm.yaml, al.yaml]\nscenarios: [tiny.yaml]\n"
    )
    code = AT_A_MODULE.format(module="torch", arguments=arguments, again="")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip().splitlines()[-1] == GOES_ON
    assert "Traceback" not in done.stderr


# A child that is interrupted when Python has told of so many events: imports, opened files,
# compiled code. A run of fifty episodes tells of some 17,000; the database is opened at 15,700.
AT_AN_EVENT = """
import os, signal, sys
left = {events}
def count(event, arguments):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGINT)
from simworld.cli import main
sys.addaudithook(count)
sys.argv = ["simworld", *{arguments!r}]
sys.exit(main())
"""


@pytest.mark.parametrize("events", [10, 200, 2000, 7000, 12_000, 15_500, 16_000, 17_000])
def test_at_any_moment(folder: Path, events: int) -> None:
    code = AT_AN_EVENT.format(events=events, arguments=[*RUN, "--repeats", "50"])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 130)
    assert done.returncode == 0 or done.stderr.strip().startswith("Stopped")


IN_A_FINALIZER = """
import signal
from simworld.cli import run_command as running

class Held:
    def __del__(self):
        raise KeyboardInterrupt  # as the signal's handler does, wherever it comes

def command(standalone_mode):
    held = Held()
    del held
    signal.pause()  # until the signal comes

running.cli.main = command
from simworld.cli import main
main()
"""


def test_ctrl_c_in_a_finalizer_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FINALIZER],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


HALF_MADE = """
from simworld.cli import run_command as running

class Half:
    def __init__(self):
        raise KeyboardInterrupt
    def __del__(self):
        self.never_set

def command(standalone_mode):
    Half()

running.cli.main = command
from simworld.cli import main
main()
"""


def test_what_was_half_made_when_ctrl_c_came_is_quiet() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_MADE], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")
