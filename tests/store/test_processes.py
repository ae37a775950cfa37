"""Several processes on one database: what two do at once is there once, and what a killed one had
stored stays."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

import store
from simworld.core.errors import StoreError
from tests.factories.stored import NOON, TICKET, add, begin, item, judged, plan, played

# as separate commands are; a fork would share SQLite's connections
SPAWN = multiprocessing.get_context("spawn")
EPISODES = 8
WAIT_S = 30


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a new process import this module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def add_all(url: str, together: Barrier, added: multiprocessing.Queue[int]) -> None:
    """Adds every episode and a judgement of each, in step with the other process; reports how many
    were new."""
    with store.open_store(url) as opened:
        new = 0
        for repeat in range(EPISODES):
            work = item(repeat=repeat)
            together.wait(WAIT_S)
            new += add(opened, work, played(work, "one", "two"))
            share = {("seller", "goal"): 0.5}
            opened.add_judgement(judged(work.episode_id(1), {("seller", "goal"): 5.0}), share)
        added.put(new)


def play_one_side(url: str, cast: tuple[str, str], together: Barrier) -> None:
    """Plays and judges one cast of every repeat, in step with the other process, which plays the
    other."""
    with store.open_store(url) as opened:
        for repeat in range(EPISODES):
            work = item(repeat=repeat, agents=cast)
            together.wait(WAIT_S)
            add(opened, work, played(work, "one"))
            together.wait(WAIT_S)
            opened.add_judgement(
                judged(work.episode_id(1), {("seller", "goal"): 5.0}), {("seller", "goal"): 0.5}
            )


def make(url: str, together: Barrier) -> None:
    together.wait(WAIT_S)
    store.open_store(url, create=True).close()


def add_until_killed(url: str, going: Event) -> None:
    with store.open_store(url) as opened:
        for repeat in range(100_000):
            work = item(repeat=repeat)
            add(opened, work, played(work, *["line"] * 20))
            if repeat == 5:
                going.set()


def test_two_processes_add_the_same_episodes_once(made_url: str) -> None:
    with store.open_store(made_url) as opened:
        begin(opened, repeats=EPISODES)
        opened.add_judge("j1", "judge", {})
    together = SPAWN.Barrier(2)
    added: multiprocessing.Queue[int] = SPAWN.Queue()
    processes = [SPAWN.Process(target=add_all, args=(made_url, together, added)) for _ in range(2)]
    for process in processes:
        process.start()
    counts = [added.get(timeout=WAIT_S) for _ in processes]
    for process in processes:
        process.join(WAIT_S)
        assert process.exitcode == 0
    assert sum(counts) == EPISODES
    with store.open_store(made_url) as opened:
        assert len(list(opened.score_rows())) == EPISODES
        assert all(len(found.episode.acts) == 2 for found in opened.episodes())


def test_two_processes_keep_the_same_cells(made_url: str) -> None:
    casts = (("a1", "a2"), ("a2", "a1"))
    with store.open_store(made_url) as opened:
        begin(opened, repeats=EPISODES)
        run = store.RunRecord(name="first", seed=7, code_version="0.1", created=NOON)
        opened.begin_run(
            run,
            [plan(item(repeat=n, agents=cast)) for n in range(EPISODES) for cast in casts],
            [],
            [],
        )
        rubric = {"name": "small", "dimensions": [{"name": "goal", "weight": 1.0}]}
        opened.add_judge("j1", "judge", {"rubric": rubric})
    together = SPAWN.Barrier(2)
    processes = [
        SPAWN.Process(target=play_one_side, args=(made_url, cast, together)) for cast in casts
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_S)
        assert process.exitcode == 0
    with store.open_store(made_url) as opened:
        (cells,) = opened.cells("first", ["j1"], {TICKET.id})
    assert len(cells.blocks) == EPISODES
    assert len(cells.episode) == 2 * EPISODES
    assert (cells.scores["j1"][:, 0] == 0.5).all()


def test_two_processes_make_one_database(url: str) -> None:
    together = SPAWN.Barrier(2)
    processes = [SPAWN.Process(target=make, args=(url, together)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(WAIT_S)
        assert process.exitcode == 0
    with store.open_store(url) as opened:
        assert opened.run_summaries() == []


def test_a_killed_process_leaves_whole_episodes(made_url: str) -> None:
    with store.open_store(made_url) as opened:
        items = [
            store.PlannedItem(item=item(repeat=n), scenario_name="ticket", family="tickets")
            for n in range(3000)
        ]
        run = store.RunRecord(name="first", seed=7, code_version="0.1", created=NOON)
        begin(opened)
        opened.begin_run(run, items, [TICKET], [])
    going = SPAWN.Event()
    process = SPAWN.Process(target=add_until_killed, args=(made_url, going))
    process.start()
    assert going.wait(WAIT_S)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(WAIT_S)
    with store.open_store(made_url) as opened:
        stored = list(opened.episodes())
        assert len(stored) >= 6
        assert all(
            len(found.episode.acts) == 20 and len(found.episode.checks) == 1 for found in stored
        )
        assert len(opened.item_states("first")) == len(stored)


def fill(path: str) -> None:
    """Adds episodes while no file may grow beyond a few hundred kilobytes, and says how it went by
    its exit code."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    with store.open_store(path) as opened:
        try:
            for repeat in range(100):
                work = item(repeat=repeat)
                add(opened, work, played(work, "x" * 20_000))
        except StoreError as error:
            whole = "nothing of this episode was stored" in str(
                error
            ) and "run the same command again" in str(error)
            os._exit(3 if whole and "\n" not in str(error) else 4)
    os._exit(5)


def test_a_file_that_cannot_grow_keeps_what_it_has(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "full.db"
    shutil.copy(sqlite_template, path)
    with store.open_store(str(path)) as opened:
        begin(opened, repeats=100)
    process = SPAWN.Process(target=fill, args=(str(path),))
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 3
    with store.open_store(str(path)) as opened:
        stored = list(opened.episodes())
        assert 0 < len(stored) < 100
        assert all(found.episode.acts[0].action.text == "x" * 20_000 for found in stored)
        work = item(repeat=99)
        assert add(opened, work, played(work, "x"))
