"""`simworld db`: exit codes, tables for people, JSON and CSV for programs, files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import store
from simworld.cli.db import db
from simworld.core.errors import InputError, SimworldError
from store.version import HEAD
from tests.factories.stored import add, begin, judged, played


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three episodes, the first of them judged."""
    path = tmp_path_factory.mktemp("db") / "world.db"
    with store.open_store(str(path), create=True) as opened:
        items = begin(opened)
        for work in items:
            add(opened, work, played(work, "Good evening.", "\x1b[2J[bold]Hi[/bold]"))
        opened.add_judge("j1", "judge", {})
        opened.add_judgement(
            judged(items[0].episode_id(1), {("seller", "goal"): 7.5}), {("seller", "goal"): 0.75}
        )
    return path


def run(path: Path, *args: str, fails: type[SimworldError] | None = None, **kwargs: Any) -> Result:
    result = CliRunner().invoke(db, args, env={"SIMWORLD_DB": str(path)}, **kwargs)
    if fails is None:
        assert result.exit_code == 0, result.output + str(result.exception)
    else:
        assert isinstance(result.exception, fails)
        assert "\n" not in str(result.exception)
    return result


def test_info_shows_counts_version_and_runs(path: Path) -> None:
    out = run(path, "info").stdout
    assert f"version {HEAD}" in out
    assert ["episodes", "3"] in [line.split() for line in out.splitlines()]
    assert ["first", "2026-11-23", "12:00", "3", "3", "0", "1"] in [
        line.split() for line in out.splitlines()
    ]
    data = json.loads(run(path, "info", "--json").stdout)
    assert data["tables"]["acts"] == 6
    assert data["runs"][0]["judged"] == 1


def test_the_codebook_needs_no_database(tmp_path: Path) -> None:
    out = run(tmp_path / "absent.db", "info", "--columns").stdout
    assert "log-probability of the reply under the model" in out
    rows = json.loads(run(tmp_path / "absent.db", "info", "--columns", "--json").stdout)
    text = {
        "column": "text",
        "type": "text",
        "key": "→ acts.text",
        "comment": "what was said or done",
    }
    assert {
        "table": "transcripts",
        "row": "A view: an act with the names of who acted.",
        **text,
    } in rows
    (key,) = [row["key"] for row in rows if (row["table"], row["column"]) == ("acts", "episode_id")]
    assert key == "key → episodes.id"
    assert "acts: What a seat did in a turn, and what made it;" in out


def test_query_shows_a_table_with_harmless_text(path: Path) -> None:
    out = run(
        path, "query", "SELECT seat, text FROM transcripts WHERE repeat = 0 ORDER BY turn"
    ).stdout
    assert "\x1b" not in out
    assert [line.split() for line in out.splitlines()] == [
        ["seat", "text"],
        ["seller", "Good", "evening."],
        ["buyer", "\\x1b[2J[bold]Hi[/bold]"],
    ]


def test_query_reads_standard_input_and_prints_json(path: Path) -> None:
    sql = "SELECT agent_name, score, NULL AS unknown FROM episode_scores"
    out = run(path, "query", "-", "--json", input=sql).stdout
    assert json.loads(out) == [{"agent_name": "smol", "score": 7.5, "unknown": None}]
    assert json.loads(run(path, "query", "SELECT 1 WHERE 0", "--json").stdout) == []
    assert len(json.loads(run(path, "query", "SELECT id FROM episodes", "--json").stdout)) == 3


def test_query_prints_csv(path: Path) -> None:
    out = run(path, "query", "SELECT 'a,b' AS x, 1.5 AS y, NULL AS z", "--csv").stdout
    assert list(csv.reader(io.StringIO(out))) == [["x", "y", "z"], ["a,b", "1.5", ""]]


def test_query_says_when_it_cuts(path: Path) -> None:
    result = run(path, "query", "SELECT id FROM episodes", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "Only the first 2 rows" in result.stderr
    assert run(path, "query", "SELECT id FROM episodes", "--limit", "3").stderr == ""
    assert "No rows." in run(path, "query", "SELECT id FROM episodes WHERE 0").stderr
    told = run(path, "query", "@branches").stderr
    assert (
        told == "No rows: no episode is a branch of another; `simworld episode branch` makes one.\n"
    )


def test_ready_queries_are_listed_shown_and_asked(path: Path) -> None:
    listed = run(path, "query", "--list").stdout
    assert ["@failures", "What", "failed,", "and", "who", "failed?", "[run=…]"] in [
        line.split() for line in listed.splitlines()
    ]
    data = {one["name"]: one for one in json.loads(run(path, "query", "--list", "--json").stdout)}
    assert data["transcript"]["required"] == ["episode"]
    shown = run(path, "query", "@scores", "--show").stdout
    assert shown.startswith("-- How does each agent do on each dimension, judge by judge?\n")
    assert "FROM episode_scores" in shown
    asked = json.loads(run(path, "query", "@scores", "--set", "run=first", "--json").stdout)
    assert [(row["agent"], row["n"], row["mean"]) for row in asked] == [("smol", 1, 7.5)]


def test_the_list_needs_no_database(tmp_path: Path) -> None:
    run(tmp_path / "absent.db", "query", "--list")
    run(tmp_path / "absent.db", "query", "@scores", "--show")
    assert list(tmp_path.iterdir()) == []


def test_names_in_a_query_of_ones_own(path: Path) -> None:
    out = run(
        path,
        "query",
        "SELECT id, :x AS x FROM judges WHERE name = :name",
        "--set",
        "name=judge",
        "--set",
        "x=a=b",
        "--json",
    )
    assert json.loads(out.stdout) == [{"id": "j1", "x": "a=b"}]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "no query is given"),
        (("SELECT 1", "--show"), "--show prints a ready query"),
        (("@scores", "--set", "run"), "--set 'run' is not understood"),
        (("@scores", "--set", "run=a", "--set", "run=b"), "--set gives 'run' twice"),
        (("@scores", "--set", "run=fisrt"), "no run 'fisrt' there; did you mean 'first'?"),
        (("@scroes",), "no ready query @scroes; did you mean '@scores'?"),
        (("scores",), "'scores' is not SQL; did you mean '@scores'?"),
        (("SELECT :x",), "no value for :x"),
        (("DELETE FROM acts",), "only reading"),
        (("SELECT * FROM epsiodes",), "did you mean 'episodes'"),
        (("SELECT 1 AS x, 2 AS x", "--json"), "several columns are called x"),
        (("SELECT 1", "--json", "--csv"), "exclude each other"),
        (
            (
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT max(x) FROM c",
                "--timeout",
                "0.1",
            ),
            "0.1",
        ),
    ],
)
def test_query_mistakes_exit_with_2(path: Path, args: tuple[str, ...], said: str) -> None:
    result = run(path, "query", *args, fails=InputError)
    assert said in str(result.exception)
    assert isinstance(result.exception, SimworldError)
    assert result.exception.exit_code == 2


@pytest.mark.parametrize(
    "args", [("info",), ("query", "SELECT 1"), ("export", "--out", "-"), ("upgrade",)]
)
def test_reading_commands_make_no_database(tmp_path: Path, args: tuple[str, ...]) -> None:
    run(tmp_path / "absent.db", *args, fails=InputError)
    assert list(tmp_path.iterdir()) == []


def test_upgrade_of_the_newest_version(path: Path) -> None:
    assert "Nothing to do" in run(path, "upgrade").stdout


def test_export_writes_json_lines(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert "Wrote 3 episodes" in run(path, "export", "--out", str(out)).stdout
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    with store.open_store(str(path)) as opened:
        assert [line["id"] for line in lines] == [found.id for found in opened.episodes()]
    (judged_line,) = [line for line in lines if line["judgements"]]
    verdict = judged_line["judgements"][0]["verdicts"][0]
    assert (verdict["seat"], verdict["score"], verdict["rescaled"]) == ("seller", 7.5, 0.75)
    first = judged_line["turns"][0]["acts"][0]
    assert (first["text"], first["generation"]["new_tokens"]) == ("Good evening.", 7)
    assert run(path, "export", "--out", "-").stdout == out.read_text()


def test_export_writes_parquet(path: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="Parquet is an optional extra")
    out = tmp_path / "out.parquet"
    run(path, "export", "--out", str(out), "--run", "first")
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == 3
    assert {(row["turns"], len(row["acts"]), row["checks"][0]["number"]) for row in rows} == {
        (2, 2, 70.0)
    }
    assert [row["judgements"][0]["verdicts"][0]["score"] for row in rows if row["judgements"]] == [
        7.5
    ]


def test_export_overwrites_only_when_forced(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    assert "--force" in str(run(path, "export", "--out", str(out), fails=InputError).exception)
    assert out.read_text() == "precious"
    run(path, "export", "--out", str(out), "--force")
    assert len(out.read_text().splitlines()) == 3
    assert list(tmp_path.iterdir()) == [out]


def test_export_into_a_folder_is_refused_whatever_is_forced(path: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for more in ((), ("--force",)):
        result = run(path, "export", "--out", str(tmp_path / "pages"), *more, fails=InputError)
        told = (
            f"{tmp_path / 'pages'} is a folder; give --out the name of a file, like"
            f" {tmp_path / 'pages' / 'NAME'}"
        )
        assert str(result.exception) == told


def test_export_of_an_unknown_run(path: Path, tmp_path: Path) -> None:
    result = run(path, "export", "--out", str(tmp_path / "x"), "--run", "frist", fails=InputError)
    assert str(result.exception) == "no run 'frist' in this database; did you mean 'first'?"
    assert list(tmp_path.iterdir()) == []
