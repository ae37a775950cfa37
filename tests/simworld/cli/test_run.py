"""`simworld run`: resumes, refuses changed content, keeps failures, and survives kill -9."""

import contextlib
import hashlib
import io
import json
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.lm.load import identify_model
from simworld.cli import cli, main
from simworld.testing import FakeBackend
from tests.waiting import until

TWO = """\
name: {name}
setting: A kitchen in the evening.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help with the dishes.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
"""
AGENT = "name: {name}\nkind: scripted\nlines: [Good evening., And then?, '[nods]', Goodbye.]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kitchen.yaml").write_text(TWO.format(name="kitchen"))
    (tmp_path / "polite.yaml").write_text(AGENT.format(name="polite"))
    (tmp_path / "other.yaml").write_text(
        AGENT.format(name="other").replace("Good evening.", "Hello.")
    )
    return tmp_path


def simworld(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell would run it, but in this process: starting Python takes a second."""
    out, err = io.StringIO(), io.StringIO()
    command = ["simworld", *args]
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", command)
        try:
            main()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return simworld(
        folder, "run", "kitchen.yaml", "--agents", "polite.yaml,other.yaml", "--db", "x.db", *args
    )


def test_the_same_command_again_plays_nothing_twice(folder: Path) -> None:
    first = run(folder, "--json")
    assert (first.returncode, first.stderr) == (0, "")
    report = json.loads(first.stdout)
    assert re.fullmatch(r"run-[0-9a-f]{8}", report.pop("run"))
    assert report == {"planned": 1, "already_there": 0, "played": 1, "failed": 0}
    again = json.loads(run(folder, "--json", "--repeats", "3").stdout)
    assert (again["planned"], again["already_there"], again["played"]) == (3, 1, 2)


def test_a_changed_scenario_or_agent_is_refused_and_named(folder: Path) -> None:
    run(folder, "--name", "mine")
    text = (folder / "kitchen.yaml").read_text()
    (folder / "kitchen.yaml").write_text(text.replace("evening", "morning"))
    refused = run(folder, "--name", "mine")
    assert refused.returncode == 2
    assert "kitchen" in refused.stderr
    assert "--name" in refused.stderr
    assert "Traceback" not in refused.stderr
    (folder / "kitchen.yaml").write_text(text)
    (folder / "polite.yaml").write_text(AGENT.format(name="polite").replace("nods", "shrugs"))
    refused = run(folder, "--name", "mine")
    assert refused.returncode == 2
    assert "polite" in refused.stderr
    assert run(folder, "--name", "new").returncode == 0


def test_one_content_is_one_run_however_it_is_written_and_an_edit_begins_another(
    folder: Path,
) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "polite.yaml").write_text((folder / "polite.yaml").read_text())
    first = json.loads(run(folder, "--json").stdout)
    spellings = (
        ["./kitchen.yaml", "--agents", "./polite.yaml,other"],
        [
            str(folder / "kitchen.yaml"),
            "--cast",
            "guest=other.yaml",
            "--cast",
            "cook=more/polite.yaml",
        ],
        ["kitchen", "--cast", "*=polite,guest=other"],
    )
    for spelling in spellings:
        again = json.loads(simworld(folder, "run", *spelling, "--db", "x.db", "--json").stdout)
        assert (again["run"], again["already_there"], again["played"]) == (first["run"], 1, 0)
    text = (folder / "kitchen.yaml").read_text()
    (folder / "kitchen.yaml").write_text(text.replace("evening", "morning"))
    edited = json.loads(run(folder, "--json").stdout)
    assert edited["played"] == 1
    assert edited["run"] != first["run"]


def test_a_run_that_was_named_by_what_was_typed_is_still_found(folder: Path) -> None:
    text = "kitchen\n(('polite.yaml', 'other.yaml'), [])\n0"
    earlier = f"run-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    run(folder, "--name", earlier)
    again = json.loads(run(folder, "--json", "--repeats", "2").stdout)
    assert (again["run"], again["already_there"], again["played"]) == (earlier, 1, 1)
    (folder / "kitchen.yaml").write_text(
        (folder / "kitchen.yaml").read_text().replace("evening", "morning")
    )
    edited = json.loads(run(folder, "--json").stdout)
    assert edited["run"] != earlier
    assert edited["played"] == 1


def test_a_dry_run_says_what_would_be_played_and_makes_nothing(folder: Path) -> None:
    dry = json.loads(run(folder, "--dry-run", "--json", "--repeats", "2").stdout)
    assert (dry["planned"], dry["already_there"]) == (2, 0)
    assert not (folder / "x.db").exists()
    played = json.loads(run(folder, "--json").stdout)
    assert played["run"] == dry["run"]
    dry = json.loads(run(folder, "--dry-run", "--json", "--repeats", "2").stdout)
    assert [(e["scenario"], e["repeat"], e["to_play"]) for e in dry["episodes"]] == [
        ("kitchen", 0, False),
        ("kitchen", 1, True),
    ]
    assert dry["episodes"][0]["cast"] == {"cook": "polite", "guest": "other"}
    with sqlite3.connect(folder / "x.db") as connection:
        seeds = [int(seed) for (seed,) in connection.execute("SELECT seed FROM episodes")]
    assert seeds == [dry["episodes"][0]["seed"]]
    shown = run(folder, "--dry-run", "--repeats", "2").stdout
    assert "cook=polite, guest=other" in shown
    assert (
        f"run {played['run']}, seed 0: 1 to play, 1 already there, 2 planned. Nothing was played."
        in shown
    )


def test_one_cast_may_name_several_seats(folder: Path) -> None:
    for cast in (
        ["cook=polite.yaml,*=other.yaml"],
        ["cook=polite.yaml", "guest=other.yaml"],
        ["*=other.yaml, cook=polite.yaml"],
    ):
        given = [word for one in cast for word in ("--cast", one)]
        dry = json.loads(
            simworld(
                folder, "run", "kitchen.yaml", *given, "--dry-run", "--json", "--db", "x.db"
            ).stdout
        )
        assert [episode["cast"] for episode in dry["episodes"]] == [
            {"cook": "polite", "guest": "other"}
        ]


def test_a_rerun_that_plays_nothing_loads_no_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    class Loaded(FakeBackend):
        info = identify_model("openai:m@http://127.0.0.1:9/v1")

    def load(spec: str, **settings: object) -> FakeBackend:
        loaded.append(spec)
        return Loaded() if spec.startswith("openai:") else FakeBackend()

    monkeypatch.setattr("simworld.runner.agent_pool.load_backend", load)
    monkeypatch.chdir(folder)
    (folder / "lm.yaml").write_text("name: lm\nmodel: openai:m@http://127.0.0.1:9/v1\n")
    model = "model: builtin:smollm2-135m-instruct\ndtype: float32\n"
    (folder / "judge.yaml").write_text(f"name: j\n{model}method: statements\n")
    play = ["run", "kitchen.yaml", "--cast", "*=lm.yaml", "--db", "x.db", "--json"]
    judge = ["judge", "run", "--judge", "judge.yaml", "--db", "x.db", "--json"]
    counts = []
    for command in (play, judge, play, judge, [*play, "--repeats", "2"]):
        CliRunner().invoke(cli, command, catch_exceptions=False)
        counts.append(len(loaded))
    assert counts == [1, 2, 2, 2, 3]
    CliRunner().invoke(cli, [*play, "--repeats", "5", "--dry-run"], catch_exceptions=False)
    assert len(loaded) == 3


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["run", "kitchen.yaml"],
            "no agents are given; use --agents A,B in seat order, or --cast '*=A'",
        ),
        (
            ["run", "kitchen.yaml", "--agents", "polite.yaml"],
            "has the seats cook, guest, but --agents names 1",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "cook"],
            "--cast 'cook' is not understood; write SEAT=AGENT, '*=AGENT' or several with commas",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "cook"],
            "several with commas; the seats are cook, guest",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "polite.yaml,other.yaml"],
            (
                "--cast 'polite.yaml,other.yaml' is not understood; write SEAT=AGENT, '*=AGENT' or"
                " several with commas; the seats are cook, guest, so perhaps --cast"
                " cook=polite.yaml,guest=other.yaml"
            ),
        ),
        (
            ["run", "kitchen.yaml", "--cast", "polite", "--cast", "other"],
            "perhaps --cast cook=polite,guest=other",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "guest=polite,other"],
            "perhaps --cast guest=polite,cook=other",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "polite"],
            "the seats are cook, guest, so perhaps --cast '*=polite'",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "my polite.yaml,b"],
            "perhaps --cast 'cook=my polite.yaml,guest=b'",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "a,b,c"],
            "several with commas; the seats are cook, guest\n",
        ),
        (
            ["run", "kitchen.yaml", "apple-picking-terms", "--cast", "a,b"],
            "'*=AGENT' or several with commas\n",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "cok=polite,guest=other"],
            "no seat 'cok'; did you mean 'cook'?",
        ),
        (
            ["run", "kitchen.yaml", "--agents", "polite.yaml", "other.yaml"],
            (
                "Error: other.yaml is an agent and no scenario; write --agents"
                " polite.yaml,other.yaml\n"
            ),
        ),
        (
            ["run", "--agents", "polite,", "other", "kitchen.yaml"],
            "other is an agent and no scenario; write --agents polite,other\n",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "cook=polite,", "guest=other"],
            (
                "Error: guest=other is part of the cast, and spaces end it; write --cast"
                " cook=polite,guest=other\n"
            ),
        ),
        (
            ["run", "kitchen.yaml", "--cast", "polite", "other"],
            "so perhaps --cast cook=polite,guest=other\n",
        ),
        (
            ["run", "kitchen.yaml", "--cast", "cook=polite,cook=other"],
            "--cast names seat 'cook' twice",
        ),
        (["run", "kitchen.yaml", "--cast", "cook=polite,"], "--cast '' is not understood"),
        (["run", "kitchen.yaml", "--cast", "*=smol-scrip"], "no agent 'smol-scrip'"),
        (["run", "kitchn.yaml", "--cast", "*=polite"], "kitchn.yaml"),
        (["run", "kitchen.yaml", "--cast", "*=polite", "--db", "mysql://x/y"], "mysql"),
        (["run", "kitchen.yaml", "--cast", "*=lost.yaml"], "lost.yaml"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder: Path, args: list[str], message: str) -> None:
    done = simworld(folder, *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert not (folder / "simworld.db").exists()


def test_problems_of_scenarios_and_agents_come_at_once(folder: Path) -> None:
    (folder / "kitchen.yaml").write_text(TWO.format(name="kitchen").replace("setting", "seting"))
    done = simworld(folder, "run", "kitchen.yaml", "--cast", "*=nobody")
    assert done.returncode == 2
    assert "did you mean 'setting'?" in done.stderr
    assert "no agent 'nobody'" in done.stderr


def test_a_model_that_is_not_there_is_one_line(folder: Path) -> None:
    (folder / "lost.yaml").write_text("name: lost\nmodel: hf:nowhere/at-all\n")
    done = simworld(folder, "run", "kitchen.yaml", "--cast", "*=lost.yaml", "--db", "x.db")
    assert done.returncode == 2
    assert "nowhere/at-all" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "x.db").exists()


def test_a_database_that_cannot_be_is_told_before_a_model_is_loaded(folder: Path) -> None:
    (folder / "lost.yaml").write_text("name: lost\nmodel: hf:nowhere/at-all\n")
    done = simworld(folder, "run", "kitchen.yaml", "--cast", "*=lost.yaml", "--db", "absent/x.db")
    assert done.returncode == 2
    assert done.stderr == "Error: absent/x.db cannot be made: no folder absent\n"


def test_the_profile_is_printed_when_asked_for_and_always_stored(folder: Path) -> None:
    profile = json.loads(run(folder, "--json", "--profile", "--repeats", "3").stdout)["profile"]
    assert set(profile["parts"]) == {"storing", "other"}
    assert sum(part["share"] for part in profile["parts"].values()) == pytest.approx(1, abs=0.01)
    assert profile["parts"]["storing"]["seconds"] > 0
    shown = run(folder, "--profile", "--repeats", "4").stdout
    assert "Where the time went" in shown
    assert re.search(r"^storing +\d+\.\d\d +\d+\.\d %", shown, re.MULTILINE)
    assert "Where the time went" not in run(folder, "--repeats", "5").stdout
    with sqlite3.connect(folder / "x.db") as connection:
        ((stored,),) = connection.execute("SELECT profile FROM runs").fetchall()
    assert [command["episodes"] for command in json.loads(stored)["commands"]] == [3, 1, 1]
    assert json.loads(stored)["commands"][0].items() >= profile.items()


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(folder: Path) -> None:
    child = long_run(folder)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert re.fullmatch(
        r"Stopped: \d+ episodes of run run-\w+ are stored; the same command plays the rest\.\n", err
    )
    assert "Traceback" not in err


def long_run(folder: Path) -> subprocess.Popen[str]:
    """A run of thousands of episodes that has stored a few.

    It hears SIGINT, also where these tests run in a shell's background, whose children ignore it.
    """
    command = [sys.executable, "-m", "simworld", "run", "kitchen.yaml", "--cast", "*=polite.yaml"]
    command += ["--db", "x.db", "--repeats", "5000"]
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        child = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, heard)
    until(lambda: count(folder / "x.db") >= 3)
    return child


def count(database: Path) -> int:
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM episodes").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize(
    "kills", [6, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_kill_9_at_random_moments_loses_and_doubles_nothing(folder: Path, kills: int) -> None:
    repeats = 400
    command = [
        sys.executable,
        "-m",
        "simworld",
        "run",
        "kitchen.yaml",
        "--agents",
        "polite.yaml,other.yaml",
    ]
    command += ["--repeats", str(repeats), "--json", "--db"]
    chance = random.Random(7)
    killed = rounds = 0
    while killed < kills:
        database = folder / f"killed-{rounds}.db"
        rounds += 1
        while True:
            child = subprocess.Popen(
                [*command, str(database)], cwd=folder, stdout=subprocess.PIPE, text=True
            )
            if killed < kills:
                goal = count(database) + chance.randint(0, 120)
                until(lambda: child.poll() is not None or count(database) >= goal)  # noqa: B023
                child.kill()
            out, _ = child.communicate()
            if child.returncode == -signal.SIGKILL:
                killed += 1
                whole(database)
                continue
            assert child.returncode == 0
            assert json.loads(out)["planned"] == repeats
            break
        whole(database)
        with sqlite3.connect(database) as connection:
            keys = connection.execute("SELECT item_key, attempt FROM episodes").fetchall()
        assert len(keys) == len(set(keys)) == repeats


def whole(database: Path) -> None:
    """Every stored episode has all its rows, and the file is sound."""
    if not database.exists():
        return
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if "acts" not in tables:
            return
        rows = connection.execute(
            "SELECT e.id, e.turns, (SELECT count(*) FROM acts a WHERE a.episode_id = e.id), "
            "(SELECT count(*) FROM episode_seats s WHERE s.episode_id = e.id) FROM episodes e"
        ).fetchall()
    assert all((turns, acts, seats) == (4, 4, 2) for _, turns, acts, seats in rows)


def test_a_name_must_be_shown_as_it_is(folder: Path) -> None:
    for name in ("", " ", "a\x1b[31m", "a\nb", "\udcff"):
        refused = run(folder, "--name", name)
        assert refused.returncode == 2
        assert refused.stderr.startswith("Error: --name")
    assert not (folder / "x.db").exists()


def test_a_person_at_a_closed_terminal_stops_the_run_and_nothing_is_stored(folder: Path) -> None:
    (folder / "me.yaml").write_text("name: me\nkind: human\n")
    command = (
        f"{sys.executable} -m simworld run kitchen.yaml --agents me.yaml,polite.yaml --db x.db <&-"
    )
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert (
        "Error: the terminal was closed, so nobody speaks for a person's seat; the same command plays the"
        " rest" in done.stderr
    )
    assert count(folder / "x.db") == 0


def test_a_database_deleted_during_a_run_is_noticed(folder: Path) -> None:
    child = long_run(folder)
    (folder / "x.db").unlink()
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert re.fullmatch(
        r"Error: x\.db was deleted, moved or replaced while it was in use; .*\n", err
    )


def test_a_server_that_hangs_is_a_stored_failure_after_the_time_the_user_gave(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        port = server.getsockname()[1]
        (folder / "far.yaml").write_text(f"name: far\nmodel: openai:x@http://127.0.0.1:{port}/v1\n")
        done = simworld(
            folder,
            *["run", "kitchen.yaml", "--cast", "*=far.yaml", "--db", "x.db"],
            *["--timeout", "0.5", "--retries", "1", "--json"],
        )
    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"] == 1
    with sqlite3.connect(folder / "x.db") as connection:
        assert connection.execute(
            "SELECT ending, failure_boundary, failure_kind FROM episodes"
        ).fetchall() == [("failed", "model", "timeout")]


def test_scenarios_that_are_the_same_are_noted_and_played_once(folder: Path) -> None:
    (folder / "galley.yaml").write_text(TWO.format(name="galley"))
    done = simworld(
        folder, "run", "kitchen.yaml", "galley.yaml", "--cast", "*=polite.yaml", "--dry-run"
    )
    assert (
        done.stderr
        == "Note: kitchen.yaml and galley.yaml hold the same scenario under 2 names; edit them, or"
        " keep one.\n"
    )
    assert "1 planned" in done.stdout
