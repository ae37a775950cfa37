"""A tournament that is played into a database while pages of it are read."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from agents import make_agent
from simworld.core.protocols import Backend
from simworld.judging.judge_spec import JudgeSpec
from simworld.runner.agent_pool import AgentPool
from simworld.testing.fakes import FakeBackend
from simworld.tournaments.loaded_tournament import load_tournament
from simworld.tournaments.play import TournamentListener, play_tournament
from store import open_store

SCENE = """\
name: written-{n}
setting: A room that is being written to, number {n}.
seats:
  - {{name: host, persona: {{name: Ann Lee}}, goal: Talk.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Talk.}}
limits: {{turns: 10}}
"""


@contextmanager
def writing_tournament(url: str, per_second: float) -> Iterator[Callable[[], int]]:
    """A tournament that is played into the database in another process; gives how many episodes it
    has played."""
    if per_second <= 0:
        yield lambda: 0
        return
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("i", 0)
    writer = context.Process(
        target=write_tournaments, args=(url, per_second, stop, done), daemon=True
    )
    writer.start()
    try:
        yield lambda: int(done.value)
    finally:
        stop.set()
        writer.join(30)
        writer.kill()


def write_tournaments(url: str, per_second: float, stop: Event, done: Any) -> None:
    """Plays and judges, one small tournament after the other, as fast as it may."""
    start = time.monotonic()

    def wait(_: object) -> None:
        done.value += 1
        while done.value > per_second * (time.monotonic() - start) and not stop.is_set():
            time.sleep(0.01)

    @contextmanager
    def judge(spec: JudgeSpec) -> Iterator[Backend]:
        yield FakeBackend()

    number = 0
    while not stop.is_set():
        number += 1
        with tempfile.TemporaryDirectory() as folder, open_store(url) as store:
            made = load_tournament(
                str(write_tournament_files(Path(folder), f"written-{int(time.time())}-{number}"))
            )
            agent_pool = AgentPool(
                agents={name: make_agent(loaded) for name, loaded in made.specs.items()},
                backends={},
                infos={},
            )
            play_tournament(
                made,
                agent_pool,
                store,
                open_judge=judge,
                max_live=4,
                listener=TournamentListener(on_playing=wait),
            )


def write_tournament_files(folder: Path, name: str) -> Path:
    """A tournament of three scripted agents in four scenarios."""
    for n in range(4):
        (folder / f"written-{n}.yaml").write_text(SCENE.format(n=n))
    for agent in ("ada", "ben", "cyn"):
        (folder / f"{agent}.yaml").write_text(
            f"name: {agent}\nkind: scripted\nlines: [I am {agent}., Yes., Well.]\n"
        )
    (folder / "fake.yaml").write_text(
        "name: fake\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\n"
    )
    path = folder / "cup.yaml"
    path.write_text(
        f"name: {name}\nagents: [ada.yaml, ben.yaml, cyn.yaml]\nscenarios:"
        " ['written-*.yaml']\njudges: [fake.yaml]\nrepeats: 4\n"
    )
    return path
