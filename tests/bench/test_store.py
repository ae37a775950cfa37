"""The benchmarks of large stores on a small one: it is whole, the same again, and its kept cells
are its scores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simworld.tournaments.loaded_tournament import load_tournament
from simworld.tournaments.results import tournament_results
from store import open_store
from tests.simworld.analysis.raw import raw_scores
from tests.simworld.results.counted import count, games

EPISODES = 90


def bench(module: str, *arguments: str) -> list[dict[str, Any]]:
    """The JSON lines of a benchmark."""
    ran = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments], check=True, capture_output=True
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def fill(folder: Path, name: str) -> None:
    """A tournament of three agents on ten scenarios, the last with three seats; its last repeat is
    not finished."""
    size = ("--episodes", str(EPISODES), "--tournaments", "1", "--agents", "3", "--families", "10")
    (found,) = bench("store", *size, "--db", str(folder / name), "--files", str(folder))
    assert found["work_items"] == EPISODES < found["episodes"] + 5
    assert found["acts"] > 8 * EPISODES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small store and its files."""
    made = tmp_path_factory.mktemp("bench")
    fill(made, "x.db")
    return made


def test_standings_are_those_of_the_raw_scores(folder: Path) -> None:
    tournament = load_tournament(str(folder / "cup-0.yaml"))
    with open_store(str(folder / "x.db")) as store:
        found = tournament_results(tournament, store, tournament.judges[1], rounds=20)
        scores, counts, judged = raw_scores(store, "cup-0", found.judge_ids[0])
    assert found.judged_episodes == judged > EPISODES / 2
    assert found.standings.seats == counts
    counted = count(sorted(scores, key=lambda s: s.scenario))
    met = [result for key, result in games(counted).items() if key[0] == "overall"]
    table = found.standings.tables["overall"]
    assert sum(map(sum, met)) == table.games > 100
    assert sum(ties for _, ties, _ in met) == table.ties


def test_the_same_numbers_give_the_same_store(folder: Path) -> None:
    fill(folder, "y.db")
    with open_store(str(folder / "y.db")) as other, open_store(str(folder / "x.db")) as store:
        assert list(other.score_rows()) == list(store.score_rows())
        one, two = (next(s.episodes(vectors=False)) for s in (other, store))
        assert one.episode == two.episode


@pytest.mark.slow
def test_questions_are_asked_and_answered(folder: Path) -> None:
    given = ("--db", str(folder / "x.db"), "--files", str(folder))
    lines = bench("large", *given, "--rounds", "1", "--add", "5")
    assert {line["question"] for line in lines if "question" in line} >= {
        "standings",
        "two agents compared",
    }
    assert all(line["per_second"] > 0 for line in lines if "added" in line)
    assert all(0 < job["start_mib"] <= job["mib"] for job in bench("memory", *given))
