"""A scenario with a rubric of its own, from `check` to `judge run` in another folder, when the file
is long gone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.errors import InputError
from simworld.testing import FakeBackend

SCENARIO = """\
name: bar
setting: A bar.
seats:
  - {name: a, goal: g, persona: {name: Ann}}
  - {name: b, goal: g, persona: {name: Bo}}
limits: {turns: 2}
rubric: wit.yaml
"""
WIT = """\
name: wit
dimensions:
  - name: wit
    range: [0, 4]
    question: Is {name} witty?
    statements: [{high: "{name} is witty.", low: "{name} is dull."}]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "bar.yaml").write_text(SCENARIO)
    (tmp_path / "plain.yaml").write_text(
        SCENARIO.replace("bar", "plain").replace("A bar", "A café").replace("wit.yaml", "sotopia")
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "study"


@pytest.mark.parametrize(
    "command", [["scenario", "check"], ["run", "--cast", "*=smol-script", "--db", "x.db"]]
)
def test_a_missing_rubric_is_refused_before_anything_is_done(
    command: list[str], study: Path
) -> None:
    result = CliRunner().invoke(cli, [*command, "study/bar.yaml"])
    assert isinstance(result.exception, InputError)
    line = "study/bar.yaml:7:9: rubric: no rubric file wit.yaml; looked in study, ."
    assert line in result.output + str(result.exception)
    assert not Path("x.db").exists()


def test_judging_needs_no_file(study: Path) -> None:
    (study / "wit.yaml").write_text(WIT)
    (study / "says.yaml").write_text("name: says\nkind: scripted\nlines: [Hello.]\n")
    play = ["run", "study/bar.yaml", "plain.yaml", "--cast", "*=study/says.yaml", "--db", "x.db"]
    assert CliRunner().invoke(cli, play, catch_exceptions=False).exit_code == 0
    (study / "wit.yaml").unlink()
    judged = CliRunner().invoke(
        cli, ["judge", "run", "--db", "x.db", "--json"], catch_exceptions=False
    )
    assert json.loads(judged.stdout)["scored"] == 2
    with sqlite3.connect("x.db") as connection:
        found = connection.execute(
            "SELECT scenario_name, count(DISTINCT dimension) FROM episode_scores GROUP BY 1 ORDER"
            " BY 1"
        )
        assert found.fetchall() == [("bar", 1), ("plain", 7)]


def test_a_database_from_before_looks_for_the_file_and_judges_the_rest(study: Path) -> None:
    (study / "wit.yaml").write_text(WIT)
    (study / "says.yaml").write_text("name: says\nkind: scripted\nlines: [Hello.]\n")
    play = ["run", "study/bar.yaml", "plain.yaml", "--cast", "*=study/says.yaml", "--db", "x.db"]
    CliRunner().invoke(cli, play, catch_exceptions=False)
    with sqlite3.connect("x.db") as connection:  # as it was stored before rubrics were
        connection.execute("UPDATE scenarios SET content = json_remove(content, '$.rubric')")
    result = CliRunner().invoke(cli, ["judge", "run", "--db", "x.db"])
    assert result.stdout.startswith("1 scored, 0 failed, 0 already there")
    assert isinstance(result.exception, InputError)
    (line,) = str(result.exception).splitlines()
    told = "looked in .; did you mean 'study/wit.yaml'?; its episodes stay unjudged"
    assert line.startswith(f"scenario 'bar': no rubric file wit.yaml; {told}")

    # what the line advises: plays nothing, stores the rubric
    CliRunner().invoke(cli, play, catch_exceptions=False)
    again = CliRunner().invoke(cli, ["judge", "run", "--db", "x.db"], catch_exceptions=False)
    assert again.stdout.startswith("1 scored, 0 failed, 1 already there")


CALM = WIT.replace("wit", "calm").replace("calmty", "calm")
JUDGE = (
    "name: strict\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nrubric: calm.yaml\n"
)


def said(*line: str) -> tuple[str, str]:
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout, done.stderr


def test_a_judges_rubric_goes_before_a_scenarios(study: Path) -> None:
    (study / "wit.yaml").write_text(WIT)
    (study / "says.yaml").write_text("name: says\nkind: scripted\nlines: [Hello.]\n")
    (study / "other.yaml").write_text("name: other\nkind: scripted\nlines: [Ho.]\n")
    Path("strict.yaml").write_text(JUDGE)
    Path("calm.yaml").write_text(CALM)
    said("run", "study/bar.yaml", "plain.yaml", "--cast", "*=study/says.yaml", "--db", "x.db")
    note = (
        "Note: scored by the judge's own rubric, calm.yaml, and not by the one that scenario bar"
        " names\n"
    )
    assert note in said("judge", "run", "--judge", "strict.yaml", "--db", "x.db")[1]
    with sqlite3.connect("x.db") as connection:
        found = connection.execute("SELECT DISTINCT dimension FROM episode_scores")
        assert found.fetchall() == [("calm",)]
    own = "(the judge's own: scenarios that name another are scored by this one)"
    assert own in said("judge", "show", "strict.yaml")[0]
    assert "(unless a scenario names another)" in said("judge", "show")[0]
    assert "own rubric" not in said("judge", "run", "--db", "x.db")[1]  # by those of the scenarios
    Path("calm.yaml").write_text(WIT)  # another name for what the scenario says
    assert "own rubric" not in said("judge", "run", "--judge", "strict.yaml", "--db", "x.db")[1]


def test_a_tournament_says_so_too(study: Path) -> None:
    (study / "wit.yaml").write_text(WIT)
    for name in ("says", "tells"):
        Path(f"{name}.yaml").write_text(f"name: {name}\nkind: scripted\nlines: [I am {name}.]\n")
    Path("strict.yaml").write_text(JUDGE)
    Path("calm.yaml").write_text(CALM)
    Path("cup.yaml").write_text(
        "name: cup\nagents: [says.yaml, tells.yaml]\nscenarios: [study/bar.yaml]\njudges:"
        " [strict.yaml]\n"
    )
    note = "and not by the one that scenario bar names"
    assert note in said("tournament", "run", "cup.yaml", "--db", "y.db")[1]
