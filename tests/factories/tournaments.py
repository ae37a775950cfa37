"""A small tournament of scripted agents on scenarios that need no model, judged by a backend that
is none."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agents import make_agent
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Request
from simworld.judging.judge_spec import JudgeSpec
from simworld.runner.agent_pool import AgentPool
from simworld.testing.fakes import FakeBackend
from simworld.tournaments.loaded_tournament import Tournament, load_tournament
from simworld.tournaments.play import OpenJudge, TournamentOutcome, play_tournament
from store import Store, open_store
from tests.sql_events import at_each

SCENE = """\
name: kitchen-{n}
setting: A kitchen in the evening, number {n}.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help with the dishes.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
"""
THREE = """\
name: table-{n}
setting: A table with one cake, number {n}.
seats:
  - {{name: host, persona: {{name: Ann Lee}}, goal: Share the cake.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Get the cake.}}
  - {{name: child, persona: {{name: Cleo Fox}}, goal: Get the cherry.}}
limits: {{turns: 6}}
"""
AGENTS = ("ada", "ben", "cyn", "dov")


def write(
    folder: Path, *, families: int = 6, tables: int = 0, agents: Sequence[str] = AGENTS
) -> None:
    """Scenarios k0.yaml, …, with three seats t0.yaml, …, an agent per name, and the judge
    fake.yaml."""
    for n in range(families):
        (folder / f"k{n}.yaml").write_text(SCENE.format(n=n))
    for n in range(tables):
        (folder / f"t{n}.yaml").write_text(THREE.format(n=n))
    for name in agents:
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\nkind: scripted\nlines: [I am {name}., Yes., Well.]\n"
        )
    (folder / "fake.yaml").write_text(
        "name: fake\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\n"
    )


def tournament(
    folder: Path,
    settings: str = "",
    *,
    agents: Sequence[str] = AGENTS,
    scenarios: str = "[k*.yaml]",
) -> Tournament:
    """The tournament `cup` of these agents; `settings` are further lines of its file."""
    names = ", ".join(f"{name}.yaml" for name in agents)
    text = (
        f"name: cup\nagents: [{names}]\nscenarios: {scenarios}\njudges: [fake.yaml]\n{settings}\n"
    )
    (folder / "cup.yaml").write_text(text)
    return load_tournament(str(folder / "cup.yaml"))


def agent_pool(made: Tournament) -> AgentPool:
    """The scripted agents; no model is asked."""
    return AgentPool(
        agents={name: make_agent(loaded) for name, loaded in made.specs.items()},
        backends={},
        infos={},
    )


def judge(answer: Callable[[Request], str | Completion] | None = None) -> OpenJudge:
    """A judge whose model is none."""

    @contextmanager
    def opened(spec: JudgeSpec) -> Iterator[Backend]:
        yield FakeBackend(answer)

    return opened


def play(
    made: Tournament,
    store: Store,
    open_judge: OpenJudge | None = None,
    *,
    retry_failed: bool = False,
) -> TournamentOutcome:
    """Plays and judges what is missing."""
    return play_tournament(
        made,
        agent_pool(made),
        store,
        open_judge=open_judge or judge(),
        max_live=4,
        retry_failed=retry_failed,
    )


def play_at_most(folder: str, url: str, statements: int) -> None:
    """Plays the tournament of a folder, in a process of its own that is killed before so many SQL
    statements are done."""
    with statements_counted(statements), open_store(url, create=True) as store:
        play(load_tournament(f"{folder}/cup.yaml"), store)


@contextmanager
def statements_counted(at_most: int | None = None) -> Iterator[Counter[str]]:
    """How many SQL statements the block runs, as `statements`; at `at_most` the process is
    killed."""
    count: Counter[str] = Counter()

    def one_more(*_: object) -> None:
        count["statements"] += 1
        if count["statements"] == at_most:
            os.kill(os.getpid(), signal.SIGKILL)

    with at_each("before_cursor_execute", one_more):
        yield count
