"""`simworld tournament` from the outside: what it prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from simworld.cli import cli
from simworld.cli.output.tournament_tables import show_results
from simworld.cli.tournament import tournament_group as command
from simworld.core.errors import Failure, InputError, SimworldError
from simworld.results.games import GameCounts
from simworld.results.standings import make_standings
from simworld.testing.fakes import FakeBackend
from simworld.tournaments.results import TournamentResult
from simworld.tournaments.results_json import results_to_json
from store import open_store
from tests.factories.tournaments import play, tournament, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path)
    tournament(tmp_path, "anchor: ada")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def played(folder: Path) -> Path:
    with open_store("sqlite:///x.db", create=True) as store:
        play(tournament(folder, "anchor: ada"), store)
    return folder


def call(*args: str) -> Result:
    return CliRunner().invoke(command, args)


def test_check_and_schema(folder: Path) -> None:
    assert (
        call("check", "cup.yaml").stdout
        == "cup: 4 agents, 6 scenarios, 6 families, 96 episodes\nnext: simworld tournament run"
        " cup.yaml\n"
    )
    assert json.loads(call("schema").stdout)["title"] == "simworld tournament"


def test_a_dry_run_makes_no_database(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["tournament", "run", "cup.yaml", "--dry-run", "--db", "x.db"])
    assert done.exit_code == 0
    assert (
        done.stdout == "cup: 96 episodes, 0 played, 96 left\njudgements: 96 to make\n"
        "tokens: unknown\nminutes: playing unknown, judging unknown\n"
        "next: simworld tournament run cup.yaml --db x.db\n"
    )
    assert "`run --episodes 8` plays a few" in done.stderr
    assert not (folder / "x.db").exists()


def test_run_plays_judges_and_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the judge's
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    tournament(folder, "anchor: ada\nbudget: {episodes: 80}")
    # goes before the file's budget
    done = call("run", "cup.yaml", "--db", "x.db", "--json", "--episodes", "10")
    assert "The budget of 10 episodes is spent: 86 episodes are left" in done.stderr
    cost = json.loads(call("run", "cup.yaml", "--db", "x.db", "--json", "--dry-run").stdout)
    assert (cost["left"], cost["judgements"], cost["unmeasured"]) == (86, 86, [])
    assert cost["minutes"] > 0
    assert cost["judging_minutes"] > 0
    done = call("run", "cup.yaml", "--db", "x.db", "--json")
    assert done.exit_code == 0
    assert "The budget of 80 episodes is spent: 6 episodes are left" in done.stderr
    done = call("run", "cup.yaml", "--db", "x.db", "--json")
    report = json.loads(done.stdout)
    assert "budget" not in done.stderr
    overall = report["measures"]["overall"]
    assert overall["games"] == 288
    assert {s["agent"]: s["rating"]["points"] for s in overall["standings"]}["ada"] == 1000
    assert json.loads(call("status", "cup.yaml", "--db", "x.db", "--json").stdout)["left"] == 0


def test_standings_for_people(played: Path) -> None:
    done = call("standings", "cup.yaml", "--db", "x.db")
    assert done.exit_code == 0
    assert "overall, judged by fake" in done.stdout
    assert "won-tied-lost" in done.stdout
    assert "6 families: fewer than 20" in done.stderr
    assert "anchor" in next(line for line in done.stdout.splitlines() if line.startswith("ada"))
    assert "different partners" not in done.stderr
    names = [
        line.split()[0]
        for line in done.stdout.splitlines()
        if line[:3] in {"ada", "ben", "cyn", "dov"}
    ]
    assert len(names) == 8  # the standings and the matrix


def test_standings_on_one_dimension(played: Path) -> None:
    done = call("standings", "cup.yaml", "--db", "x.db", "--measure", "goal")
    assert "cup: goal, judged by fake" in done.stdout
    assert "Games on goal: won-tied-lost" in done.stdout


def test_who_won_every_game_has_no_upper_bound(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tournament(folder, "anchor: ada")
    # in two families each; dov has no game
    pairs = (("ada", "ben"), ("ada", "cyn"), ("ben", "cyn"))
    counted = GameCounts(
        families=("k0", "k1"),
        agents=("ada", "ben", "cyn"),
        measures=("overall",),
        score_sums=np.zeros((2, 3, 1)),
        score_counts=np.ones((2, 3, 1), dtype=np.int64),
        wins=np.array(
            [
                [
                    [[int((a, b) in pairs)] for b in ("ada", "ben", "cyn")]
                    for a in ("ada", "ben", "cyn")
                ]
            ]
            * 2
        ),
        ties=np.zeros((2, 3, 3, 1), dtype=np.int64),
    )
    found = TournamentResult(
        judge="fake",
        judge_ids=("fake@1",),
        judged_episodes=2,
        standings=make_standings(counted, agents=("ada", "ben", "cyn"), anchor="ben", rounds=50),
        multiplayer_ratings=None,
        scales={"overall": (0.0, 1.0)},
    )
    show_results("cup", found)
    shown = capsys.readouterr()
    lines = {
        line.split()[0]: line
        for line in shown.out.splitlines()
        if line[:3] in ("ada", "ben", "cyn")
    }
    # Two families won of two: the chance p with p² = 0.05 is odds of -216 points
    assert "784 or more" in shown.out
    assert "1216 or less" in shown.out
    assert lines.keys() == {"ada", "ben", "cyn"}
    assert "Note: ada won every game: only a lower bound of the rating is known" in shown.err
    assert "Note: cyn lost every game: only an upper bound" in shown.err
    best, _, worst = results_to_json(made, found)["measures"]["overall"]["standings"]
    assert best["rating"]["high"] is None
    assert best["rating"]["low"] == pytest.approx(784, abs=1)
    assert (best["rating"]["unbounded"], worst["rating"]["unbounded"]) == (
        {"above": True, "below": False},
        {"above": False, "below": True},
    )


def test_many_agents_fit_a_narrow_terminal(played: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simworld.cli.output.tournament_tables.console", lambda: Console(width=90))
    lines = call("standings", "cup.yaml", "--db", "x.db").stdout.splitlines()
    assert (
        sum(line.startswith("financial_and_material_benefits") for line in lines) == 2
    )  # two agents beside each other


def test_means_of_agents_with_different_partners_come_with_a_note(folder: Path) -> None:
    made = tournament(folder, "format: focal\nfocal: ada")
    with open_store("sqlite:///x.db", create=True) as store:
        play(made, store)
    done = call("standings", "cup.yaml", "--db", "x.db")
    assert (
        "Note: agents have met different partners, so ratings compare, and mean scores do not."
        in done.stderr
    )


def test_compare_is_a_gate(played: Path) -> None:
    report = json.loads(call("compare", "cup.yaml", "ada", "ben", "--db", "x.db", "--json").stdout)
    better = ("ada", "ben") if report["measures"]["overall"]["mean"] > 0 else ("ben", "ada")
    assert report["measures"]["overall"]["pairs"] == 48
    done = call(
        "compare",
        "cup.yaml",
        "ada",
        "ben",
        "--db",
        "x.db",
        "--require",
        f"{better[0]}>{better[1]}:overall:p<0.99",
    )
    assert done.exit_code == 0, done.stdout
    done = call(
        "compare", "cup.yaml", "ada", "ben", "--db", "x.db", "--require", f"{better[1]}>{better[0]}"
    )
    assert done.exit_code == 1
    assert "does not hold" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("compare", "cup.yaml", "ada", "bne"),
            "no agent 'bne' in tournament 'cup'; did you mean 'ben'?",
        ),
        (("compare", "cup.yaml", "ada", "ada"), "'ada' is compared with itself; name two agents"),
        (
            ("standings", "cup.yaml", "--judge", "x"),
            "tournament 'cup' has no judge 'x'; there are fake",
        ),
        (("standings", "cup.yaml", "--measure", "goa"), "no measure 'goa'; did you mean 'goal'?"),
        (("standings", "cap.yaml"), "no tournament file cap.yaml"),
        (
            ("compare", "cup.yaml", "ada", "ben", "--require", "ada>ben:goa"),
            "no measure 'goa'; did you mean 'goal'?",
        ),
    ],
)
def test_what_is_refused_in_one_line(played: Path, args: tuple[str, ...], message: str) -> None:
    done = call(*args, "--db", "x.db")
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_judge_that_fails_everywhere_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Failure(boundary="model", kind="broken", message="no")
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend",
        lambda *args, **settings: FakeBackend(lambda _: broken),
    )
    done = call("run", "cup.yaml", "--db", "x.db")
    assert isinstance(done.exception, InputError)
    assert done.exception.exit_code == 2
    text = (
        "judge 'fake' scored no episode of tournament 'cup': its judgements failed, like this one:"
        " model: broken: no"
    )
    assert str(done.exception).startswith(text)
    assert "\n" not in str(done.exception)


def test_a_score_that_is_no_number_is_one_line(played: Path) -> None:
    with sqlite3.connect("x.db") as database:
        database.execute(
            "UPDATE verdicts SET score = 9e999 WHERE rowid = (SELECT min(rowid) FROM verdicts)"
        )
    done = call("standings", "cup.yaml", "--db", "x.db")
    assert isinstance(done.exception, InputError)
    assert "which is not finite; delete that judgement and judge again" in str(done.exception)


def test_one_scenario_and_nothing_but_ties_are_told_beside_the_standings(folder: Path) -> None:
    made = tournament(folder, "tie: 1", scenarios="[k0.yaml]")
    with open_store("sqlite:///x.db", create=True) as store:
        play(made, store)
    done = call("standings", "cup.yaml", "--db", "x.db")
    assert done.exit_code == 0
    of_judge, of_scores, *others = done.stderr.splitlines()
    assert of_judge.startswith("Note: judge fake was never measured")
    # its model is none
    assert of_scores.startswith("Note: judge fake: half or more of its scores lie at an end")
    assert others == [
        "Note: 1 family of scenarios: no intervals; they need at least 2, and 20 to be trusted",
        "Note: overall: all 48 games are ties, so nothing tells the agents apart",
    ]
    done = call("compare", "cup.yaml", "ada", "ben", "--db", "x.db", "--require", "ada>ben")
    assert done.exit_code == 1
    assert "ada>ben does not hold: 1 family gives no p" in done.stdout


def test_standings_of_nothing(folder: Path) -> None:
    done = call("standings", "cup.yaml", "--db", "x.db")
    assert isinstance(done.exception, SimworldError)
    assert not (folder / "x.db").exists()
