"""The campaign's tools: what they damage, what they find, and a call as people make it."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.campaign.__main__ import main
from tests.campaign.canaries import Table
from tests.campaign.command import faults, run_command
from tests.campaign.damage import damage
from tests.campaign.good_files import BESIDE
from tests.campaign.kills import Ended, content_of, difference, wrong
from tests.campaign.mutation import damage_tree, mutated
from tests.campaign.parts import PARTS
from tests.campaign.server import FAULTS, Said, Server, completion, serving
from tests.factories.web_world import build as build_world

ROOT = Path(__file__).parents[2]
MANY = 60


def test_a_command_that_ends_in_a_traceback_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(run_command(["scenario", "check", "absent.yaml"]), kind="x") == []
    assert run_command(["scenario", "check", "absent.yaml"]).code == 2
    monkeypatch.setattr(
        "simworld.name_clash_check.check_package_names", lambda: dict[str, str]()["x"]
    )
    (found,) = faults(run_command(["scenario", "list"]), kind="x")
    assert found.what.startswith("x: traceback: KeyError in cli/run_command.py")


def test_damage_is_the_same_for_the_same_seed() -> None:
    text = BESIDE["ticket.yaml"]
    first = [mutated(random.Random(seed), text) for seed in range(MANY)]
    assert first == [mutated(random.Random(seed), text) for seed in range(MANY)]
    assert len(set(first)) > MANY * 0.9
    changed = [damage_tree(random.Random(seed), text.encode()) for seed in range(50)]
    whole = yaml.safe_load(text)
    assert sum(yaml.safe_load(one) != whole for one in changed if b"\xed" not in one) > 25


def test_a_damaged_database_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    told = set()
    for seed in range(30):
        path.unlink(missing_ok=True)
        file = sqlite3.connect(path)
        file.executescript(
            "CREATE TABLE alembic_version (version_num TEXT NOT NULL); INSERT INTO alembic_version"
            " VALUES ('1');CREATE TABLE runs (name TEXT NOT NULL PRIMARY KEY, seed INTEGER NOT"
            " NULL); INSERT INTO runs VALUES ('x', 1), ('y', 2);"
        )
        file.close()
        told |= set(damage(path, random.Random(seed)))
    assert any(line.startswith("runs.seed = ") for line in told)
    assert any(line.startswith("DROP TABLE") for line in told)
    assert any("bytes changed" in line for line in told)


def test_leaks_are_found() -> None:
    table = Table(1)
    one, other = list(table.seats)[:2]
    own = f"Get it, {table.own[one]['goal']}."
    whisper = table.hide("private", frozenset({one}), "(to x)")
    thought = table.hide("thought", frozenset({one}), "<think>")
    secret = table.own[other]["secret"]

    def leaks(model: str, text: str) -> list[str]:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        return [finding.what for finding in table.leaks([body])]

    assert leaks("actor", f"{own} {whisper} {thought}") == []
    assert leaks("actor", f"{own} {secret}") == [
        "a secret of another in a prompt, said as 'as given'"
    ]
    stranger = f"Get it, {table.own[other]['goal']}."
    assert leaks("actor", f"{stranger} {whisper}") == [
        "a private of another in a prompt, said as '(to x)'"
    ]
    assert leaks("actor", f"{own} {stranger}")[0] == "a prompt shows not exactly one goal"
    assert leaks("judge", f"{own} {secret} {whisper}") == []
    assert leaks("judge", thought) == ["a thought in a judge's prompt, said as '<think>'"]


def test_faults_depend_on_content_and_not_on_when() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    draws = []
    for seed in (1, 1, 2):
        with serving(Server(lambda _: Said(text="y"), seed=seed, share=0.5)) as server:
            draws.append([server.fault(body) for _ in range(9)])
    assert draws[0] == draws[1] != draws[2]
    assert {None, *FAULTS}.issuperset(draws[0] + draws[2])
    assert completion(Said(text="y"))["choices"][0]["message"] == {
        "role": "assistant",
        "content": "y",
    }


@pytest.mark.parametrize(
    "part", ["files", pytest.param("all", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_a_case_as_people_call_it(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own; what it finds is no matter here."""
    state = ["--state", str(tmp_path / "state.db")]
    chosen = list(PARTS) if part == "all" else [part]
    command = [
        sys.executable,
        "-m",
        "tests.campaign",
        "--minutes",
        "5",
        "--cases",
        "1",
        "--parts",
        ",".join(chosen),
        *state,
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert main([*state, "--table"]) == 0
    table = capsys.readouterr().out
    assert all(re.search(rf"\| {name} \| [1-9]", table) for name in chosen)
    assert "--cases 1" in table


def test_how_a_killed_command_may_end() -> None:
    def ended(code: int, err: str = "") -> Ended:
        return Ended(code=code, err=err, seconds=1.0, hit=True)

    def whats(code: int, err: str, sent: signal.Signals, cold: bool = False) -> list[str]:
        return [finding.what for finding in wrong(ended(code, err), sent, cold)]

    trace = (
        'Traceback (most recent call last):\n  File "<frozen runpy>", line 189\nKeyboardInterrupt'
    )
    own = f'{trace}\n  File "/x/simworld/cli/run.py", line 3'
    assert (
        whats(130, "Stopped.", signal.SIGINT)
        == whats(0, "", signal.SIGINT)
        == whats(-9, "", signal.SIGKILL)
        == []
    )
    assert whats(-15, "", signal.SIGTERM) == whats(-2, trace, signal.SIGINT, cold=True) == []
    assert whats(1, own, signal.SIGINT) == ["exit code 1 after SIGINT", "a traceback after SIGINT"]
    assert (
        whats(-2, own, signal.SIGINT, cold=True)[0] == "exit code -2 after SIGINT while it starts"
    )
    lost = (
        "Exception ignored in: <function f>\nTraceback (most recent call last):\nKeyboardInterrupt"
    )
    assert whats(0, lost, signal.SIGINT) == ["SIGINT was lost in a callback"]
    assert whats(2, "", signal.SIGKILL) == ["exit code 2 after SIGKILL"]


def test_contents_are_compared_row_by_row(tmp_path: Path) -> None:
    """Times may differ between two equal runs; a row that is lost, doubled or other may not."""
    url = build_world(tmp_path)
    whole = content_of(url)
    path = tmp_path / "world.db"
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE episodes SET started = '2020-01-01 00:00:00.000000'")
    assert content_of(url) == whole
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE acts SET text = 'other' WHERE rowid = 1")
    found = content_of(url)
    assert (
        difference(whole, found).count("\n- acts ")
        == difference(whole, found).count("\n+ acts ")
        == 1
    )
