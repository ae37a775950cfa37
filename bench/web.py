"""How fast the pages are on a large store, with many readers and while a tournament is written into the same database.

    python -m bench.store --episodes 100000 --db big.db --files big
    python -m bench.web --db big.db --embed
    python -m bench.web --db big.db --readers 20 --seconds 60 --pause 0

Twenty readers each ask for a page, read it for a moment (`--pause`, seconds on average; 0: not at all) and ask for the next:
episodes, scenarios, runs, standings, comparisons, both searches, SQL, drawn anew each time (search by meaning only where something
has an embedding). Meanwhile a tournament of scripted agents, judged by a backend without a model, is played into the database at
`--episodes` a second.

pages             for each kind: answers, and their median and 99th percentile in milliseconds
all               the same of all of them
faults            answers that were no success
cpu_ms            processor time of the server per answer, its renewals behind the scenes and the encoder included
rss_mib           memory of the server: after the first answer, and the most that was seen
played            episodes that the tournament added meanwhile
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from agents import make_agent
from bench.search import CHUNK, DIMENSIONS
from simworld.analysis.semantic_search import encoder_id
from simworld.core.protocols import Backend
from simworld.judging.judge_spec import JudgeSpec
from simworld.runner.loaded_agents import LoadedAgents
from simworld.testing.fakes import FakeBackend
from simworld.tournament.loaded_tournament import load_tournament
from simworld.tournament.play import TournamentListener, play_tournament
from simworld.web.links import link
from store import Store, open_store, query

WORDS = ("garden", "forty euros", '"the last train"', "promised station", "mother", "music starts")
MEANINGS = ("someone apologises and is forgiven", "they argue about money", "a secret comes out")
QUERIES = (
    "SELECT ending, count(*) FROM episodes GROUP BY ending",
    "SELECT * FROM transcripts LIMIT 50",
    "SELECT agent_name, count(*) FROM episode_seats GROUP BY agent_name",
)
# How often each kind of page is asked for
WEIGHTS = {
    "episode": 30,
    "episodes": 20,
    "standings": 8,
    "compare": 8,
    "scenario": 8,
    "words": 6,
    "meaning": 3,
    "run": 5,
    "runs": 5,
    "scenarios": 3,
    "agent": 2,
    "sql": 2,
}
SCENE = """\
name: written-{n}
setting: A room that is being written to, number {n}.
seats:
  - {{name: host, persona: {{name: Ann Lee}}, goal: Talk.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Talk.}}
limits: {{turns: 10}}
"""


@dataclass(slots=True)
class Seen:
    """What the readers met."""

    # kind → seconds
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--db", metavar="URL", required=True, help="a store, such as `python -m bench.store` makes"
    )
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--pause", type=float, default=1.0, help="seconds on average between two pages of a reader"
    )
    parser.add_argument(
        "--episodes", type=float, default=5, help="a second, played meanwhile; 0: none"
    )
    parser.add_argument(
        "--embed", action="store_true", help="first give episodes without an embedding a random one"
    )
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    given = parser.parse_args()
    if given.embed:
        embed(given.db)
    with open_store(given.db, read_only=True) as store:
        ask = Questions(given.db, store)
    with served(given.db) as (address, server), written(given.db, given.episodes) as played:
        found = read(address, server, ask, given.readers, given.seconds, given.pause)
        found["played"] = played()
    if not given.json:
        for kind, numbers in [*found["pages"].items(), ("all", found["all"])]:
            print(
                f"{kind:>10}: {numbers['n']:>6}   median {numbers['median_ms']:>7.1f} ms   p99"
                f" {numbers['p99_ms']:>7.1f} ms"
            )
        print(
            f"{found['cpu_ms']} ms of processor time per answer; memory {found['rss_mib']} MiB;"
            f" faults {found['faults']}"
        )
    settings = {"readers": given.readers, "seconds": given.seconds, "pause": given.pause}
    print(json.dumps({**settings, **found}))


def embed(url: str) -> None:
    """Gives each episode that has none an embedding of random direction, as if by the encoder of
    the search."""
    from agents.lm.sentence_encoder import load_sentence_encoder

    rng, id_ = np.random.default_rng(0), encoder_id(load_sentence_encoder())
    with open_store(url) as store:
        missing = store.unembedded(id_)
        while ids := list(islice(missing, CHUNK)):
            vectors = rng.standard_normal((len(ids), DIMENSIONS), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            store.add_embeddings(id_, dict(zip(ids, vectors, strict=True)))


class Questions:
    """Addresses of pages, drawn at random from what a store holds."""

    def __init__(self, url: str, store: Store) -> None:
        names = store.filter_names()
        self._names = names
        self._episodes = [
            summary.id
            for run in names.runs
            for summary in store.episode_summaries(run=run, limit=500)
        ]
        self._scenarios = {run: store.run_scenarios(run) for run in names.runs}
        self._agents = {run: dict(store.run_agents(run)) for run in names.runs}
        with query(url, "SELECT 1 FROM embeddings LIMIT 1") as embedded:
            some = bool(list(embedded))
        self.weights = {
            kind: weight for kind, weight in WEIGHTS.items() if some or kind != "meaning"
        }

    def draw(self, rng: random.Random) -> tuple[str, str]:
        """A kind of page and an address of it."""
        (kind,) = rng.choices(list(self.weights), list(self.weights.values()))
        run = rng.choice(self._names.runs)
        agents = list(self._agents[run])
        first, second = rng.sample(agents, 2) if len(agents) > 1 else (None, None)
        scenario = rng.choice(self._scenarios[run])
        makers: dict[str, Callable[[], str]] = {
            "episode": lambda: link("/episode/show", rng.choice(self._episodes)),
            "episodes": lambda: self._filtered(rng, run, scenario, rng.choice(agents)),
            "standings": lambda: link(
                "/tournament/standings", run=run, measure=rng.choice(("overall", "goal"))
            ),
            "compare": lambda: link(
                "/tournament/compare", run=run, first=first, second=second, scenario=scenario
            ),
            "scenario": lambda: link("/scenario/show", scenario),
            "words": lambda: link("/episode/search", text=rng.choice(WORDS)),
            "meaning": lambda: link("/episode/search", text=rng.choice(MEANINGS), by="meaning"),
            "run": lambda: link("/run/show", run),
            "runs": lambda: "/",
            "scenarios": lambda: "/scenario/list",
            "agent": lambda: link("/agent/show", rng.choice(list(self._agents[run].values()))),
            "sql": lambda: link("/db/query", sql=rng.choice(QUERIES)),
        }
        return kind, makers[kind]()

    def _filtered(self, rng: random.Random, run: str, scenario: str, agent: str) -> str:
        fields = {
            "run": run,
            "scenario": scenario,
            "agent": agent,
            "ending": "failed",
            "before": rng.choice(self._episodes),
        }
        return link(
            "/episode/list",
            **{name: fields[name] for name in rng.sample(list(fields), rng.randint(0, 3))},
        )


@contextmanager
def served(url: str) -> Iterator[tuple[str, psutil.Process]]:
    """`simworld serve` on a database: its address and its process."""
    command = [sys.executable, "-m", "simworld", "serve", "--port", "0", "--db", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline().split()[-1], psutil.Process(process.pid)
        finally:
            process.terminate()


def read(
    address: str, server: psutil.Process, ask: Questions, readers: int, seconds: float, pause: float
) -> dict[str, Any]:
    """Lets readers read for some seconds; the encoder is loaded and every kind of page asked for
    once before."""
    place = urlsplit(address).netloc
    warm_up(place, ask)
    first, busy = server.memory_info().rss, cpu(server)
    most = first
    seen = Seen()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=reader, args=(place, ask, n, end, pause, seen))
        for n in range(readers)
    ]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        most = max(most, server.memory_info().rss)
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    everything = [taken for times in seen.times.values() for taken in times]
    return {
        "pages": {kind: numbers(seen.times[kind]) for kind in WEIGHTS if seen.times[kind]},
        "all": numbers(everything),
        "faults": dict(seen.faults),
        "cpu_ms": round(1000 * (cpu(server) - busy) / max(1, len(everything)), 1),
        "rss_mib": [round(first / 2**20), round(most / 2**20)],
    }


def cpu(server: psutil.Process) -> float:
    """Seconds of processor time that a process has used."""
    times = server.cpu_times()
    return float(times.user + times.system)


def warm_up(place: str, ask: Questions) -> None:
    """Asks until every kind of page was answered, and the search by meaning has its encoder."""
    rng = random.Random(0)
    missing = set(ask.weights)
    connection = http.client.HTTPConnection(place)
    while missing:
        kind, path = ask.draw(rng)
        if kind not in missing:
            continue
        connection.request("GET", path)
        if b"is being loaded" in connection.getresponse().read():
            time.sleep(0.5)
        else:
            missing.discard(kind)


def reader(place: str, ask: Questions, number: int, end: float, pause: float, seen: Seen) -> None:
    """One reader: a page, a pause of any length around the mean, the next page."""
    rng = random.Random(number)
    connection = http.client.HTTPConnection(place, timeout=60)
    while time.monotonic() < end:
        time.sleep(rng.uniform(0, 2 * pause))
        kind, path = ask.draw(rng)
        start = time.perf_counter()
        response = answer(connection, path)
        taken = time.perf_counter() - start
        with seen.lock:
            seen.times[kind].append(taken)
            if response.status != 200:
                seen.faults[f"{response.status} {path}"] += 1


def answer(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    """A whole answer; where the server has closed a connection that was idle for long, on a new
    one."""
    for again in (True, False):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response
        except (ConnectionError, http.client.RemoteDisconnected):
            connection.close()
            if not again:
                raise
    raise AssertionError


def numbers(times: list[float]) -> dict[str, float]:
    """How many, their median and 99th percentile in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        "n": len(times),
        "median_ms": round(1000 * statistics.median(times), 1),
        "p99_ms": round(1000 * p99, 1),
    }


@contextmanager
def written(url: str, per_second: float) -> Iterator[Callable[[], int]]:
    """A tournament that is played into the database in another process; gives how many episodes it
    has played."""
    if per_second <= 0:
        yield lambda: 0
        return
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("i", 0)
    writer = context.Process(target=write, args=(url, per_second, stop, done), daemon=True)
    writer.start()
    try:
        yield lambda: int(done.value)
    finally:
        stop.set()
        writer.join(30)
        writer.kill()


def write(url: str, per_second: float, stop: Event, done: Any) -> None:
    """Plays and judges, one small tournament after the other, as fast as it may."""
    begun = time.monotonic()

    def wait(_: object) -> None:
        done.value += 1
        while done.value > per_second * (time.monotonic() - begun) and not stop.is_set():
            time.sleep(0.01)

    @contextmanager
    def judge(spec: JudgeSpec) -> Iterator[Backend]:
        yield FakeBackend()

    number = 0
    while not stop.is_set():
        number += 1
        with tempfile.TemporaryDirectory() as folder, open_store(url) as store:
            made = load_tournament(str(files(Path(folder), f"written-{int(time.time())}-{number}")))
            loaded_agents = LoadedAgents(
                agents={name: make_agent(loaded) for name, loaded in made.specs.items()},
                backends={},
                infos={},
            )
            play_tournament(
                made,
                loaded_agents,
                store,
                open_judge=judge,
                live=4,
                listener=TournamentListener(on_playing=wait),
            )


def files(folder: Path, name: str) -> Path:
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


if __name__ == "__main__":
    main()
