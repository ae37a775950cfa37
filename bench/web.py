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
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from bench.random_pages import WEIGHTS, RandomPages
from bench.search import CHUNK, DIMENSIONS
from bench.tournament_writer import writing_tournament
from simworld.analysis.semantic_search import encoder_id
from store import open_store


@dataclass(slots=True)
class ReaderResults:
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
    args = parser.parse_args()
    if args.embed:
        embed(args.db)
    with open_store(args.db, read_only=True) as store:
        ask = RandomPages(args.db, store)
    with (
        serving(args.db) as (address, server),
        writing_tournament(args.db, args.episodes) as played,
    ):
        results = run_readers(address, server, ask, args.readers, args.seconds, args.pause)
        results["played"] = played()
    if not args.json:
        for kind, summary in [*results["pages"].items(), ("all", results["all"])]:
            print(
                f"{kind:>10}: {summary['n']:>6}   median {summary['median_ms']:>7.1f} ms   p99"
                f" {summary['p99_ms']:>7.1f} ms"
            )
        print(
            f"{results['cpu_ms']} ms of processor time per answer; memory {results['rss_mib']} MiB;"
            f" faults {results['faults']}"
        )
    settings = {"readers": args.readers, "seconds": args.seconds, "pause": args.pause}
    print(json.dumps({**settings, **results}))


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


@contextmanager
def serving(url: str) -> Iterator[tuple[str, psutil.Process]]:
    """`simworld serve` on a database: its address and its process."""
    command = [sys.executable, "-m", "simworld", "serve", "--port", "0", "--db", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process.stderr.readline().split()[-1], psutil.Process(process.pid)
        finally:
            process.terminate()


def run_readers(
    address: str,
    server: psutil.Process,
    ask: RandomPages,
    readers: int,
    seconds: float,
    pause: float,
) -> dict[str, Any]:
    """Lets readers read for some seconds; the encoder is loaded and every kind of page asked for
    once before."""
    netloc = urlsplit(address).netloc
    warm_up(netloc, ask)
    first, cpu_before = server.memory_info().rss, cpu_seconds(server)
    peak = first
    results = ReaderResults()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=read_pages, args=(netloc, ask, n, end, pause, results))
        for n in range(readers)
    ]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        peak = max(peak, server.memory_info().rss)
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    everything = [taken for times in results.times.values() for taken in times]
    return {
        "pages": {
            kind: latency_summary(results.times[kind]) for kind in WEIGHTS if results.times[kind]
        },
        "all": latency_summary(everything),
        "faults": dict(results.faults),
        "cpu_ms": round(1000 * (cpu_seconds(server) - cpu_before) / max(1, len(everything)), 1),
        "rss_mib": [round(first / 2**20), round(peak / 2**20)],
    }


def cpu_seconds(server: psutil.Process) -> float:
    """Seconds of processor time that a process has used."""
    times = server.cpu_times()
    return float(times.user + times.system)


def warm_up(netloc: str, ask: RandomPages) -> None:
    """Asks until every kind of page was answered, and the search by meaning has its encoder."""
    rng = random.Random(0)
    missing = set(ask.weights)
    connection = http.client.HTTPConnection(netloc)
    while missing:
        kind, path = ask.draw(rng)
        if kind not in missing:
            continue
        connection.request("GET", path)
        if b"is being loaded" in connection.getresponse().read():
            time.sleep(0.5)
        else:
            missing.discard(kind)


def read_pages(
    netloc: str, ask: RandomPages, number: int, end: float, pause: float, results: ReaderResults
) -> None:
    """One reader: a page, a pause of any length around the mean, the next page."""
    rng = random.Random(number)
    connection = http.client.HTTPConnection(netloc, timeout=60)
    while time.monotonic() < end:
        time.sleep(rng.uniform(0, 2 * pause))
        kind, path = ask.draw(rng)
        start = time.perf_counter()
        response = fetch_page(connection, path)
        seconds_taken = time.perf_counter() - start
        with results.lock:
            results.times[kind].append(seconds_taken)
            if response.status != 200:
                results.faults[f"{response.status} {path}"] += 1


def fetch_page(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
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


def latency_summary(times: list[float]) -> dict[str, float]:
    """How many, their median and 99th percentile in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        "n": len(times),
        "median_ms": round(1000 * statistics.median(times), 1),
        "p99_ms": round(1000 * p99, 1),
    }


if __name__ == "__main__":
    main()
