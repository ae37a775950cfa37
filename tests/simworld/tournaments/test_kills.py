"""A tournament killed at random moments ends with the same standings as one left in peace."""

from __future__ import annotations

import multiprocessing
import random
import signal
from pathlib import Path

import pytest

from simworld.tournaments.loaded_tournament import load_tournament
from simworld.tournaments.results import tournament_results
from simworld.tournaments.results_json import results_to_json
from store import open_store
from tests.factories.tournaments import play, play_at_most, statements_counted, tournament, write

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a new process import what it is to do."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3])


def standings(folder: Path, url: str) -> dict[str, object]:
    made = load_tournament(str(folder / "cup.yaml"))
    with open_store(url) as store:
        assert len(store.episode_summaries(run="cup")) == 96
        return results_to_json(made, tournament_results(made, store, made.judges[0], rounds=100))


@pytest.mark.parametrize(
    "kills", [5, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    write(tmp_path)
    made = tournament(tmp_path)
    peace = f"sqlite:///{tmp_path / 'peace.db'}"
    with open_store(peace, create=True) as store, statements_counted() as count:
        play(made, store)
    expected = standings(tmp_path, peace)
    chance = random.Random(5)
    killed = rounds = 0
    while killed < kills:
        url = f"sqlite:///{tmp_path / f'killed-{rounds}.db'}"
        rounds += 1
        while True:
            left = chance.randrange(1, count["statements"] // 2) if killed < kills else 0
            process = SPAWN.Process(target=play_at_most, args=(str(tmp_path), url, left))
            process.start()
            process.join()
            if process.exitcode == -signal.SIGKILL:
                killed += 1
                continue
            assert process.exitcode == 0
            break
        assert standings(tmp_path, url) == expected
