"""The main job as a user runs it, on the built-in model, on both databases: run, judge, query,
show, export."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simworld.cli.test_run import TWO


def simworld(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "simworld", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# On SQLite the demo plays and judges with the model, and the other tests of this folder query, show
# and export; the command line meets PostgreSQL here alone.
@pytest.mark.parametrize(
    "url", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"], indirect=True
)
@pytest.mark.model
def test_run_judge_query_show_and_export(tmp_path: Path, url: str) -> None:
    (tmp_path / "kitchen.yaml").write_text(
        TWO.format(name="kitchen").replace("turns: 4", "turns: 2")
    )
    (tmp_path / "rubric.yaml").write_text(
        "name: warmth\n"
        "dimensions:\n"
        "  - name: warmth\n"
        "    range: [0, 10]\n"
        "    question: How warm was {name}?\n"
        "    statements: [{high: '{name} was kind.', low: '{name} was cold.'}]\n"
    )
    (tmp_path / "judge.yaml").write_text(
        "name: warm\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\nrubric:"
        " rubric.yaml\n"
    )
    ran = json.loads(
        simworld(tmp_path, "run", "kitchen.yaml", "--cast", "*=smol-script", "--db", url, "--json")
    )
    assert (ran["played"], ran["failed"]) == (1, 0)
    simworld(tmp_path, "judge", "run", "--judge", "judge.yaml", "--db", url)
    again = simworld(tmp_path, "judge", "run", "--judge", "judge.yaml", "--db", url)
    assert "0 scored, 0 failed, 1 already there" in again
    scores = json.loads(
        simworld(
            tmp_path,
            "db",
            "query",
            "SELECT seat, dimension, score FROM episode_scores ORDER BY seat",
            "--db",
            url,
            "--json",
        )
    )
    assert [(row["seat"], row["dimension"]) for row in scores] == [
        ("cook", "warmth"),
        ("guest", "warmth"),
    ]
    assert all(0 < row["score"] < 10 for row in scores)
    act, _ = json.loads(
        simworld(tmp_path, "db", "query", "SELECT * FROM acts ORDER BY turn", "--db", url, "--json")
    )
    assert act["text"]
    assert act["new_tokens"] > 0
    assert act["logprob"] < 0
    assert act["dtype"] in ("float32", "bfloat16")
    (listed,) = json.loads(simworld(tmp_path, "episode", "list", "--db", url, "--json"))
    assert act["text"] in simworld(tmp_path, "episode", "show", listed["id"], "--db", url).replace(
        "\n", " "
    )
    simworld(tmp_path, "db", "export", "--out", "out.jsonl", "--db", url)
    (exported,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert exported["id"] == listed["id"]
