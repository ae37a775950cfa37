"""How long a search by meaning takes in a large store: random vectors, written straight into the tables.

    python -m bench.search --json
    python -m bench.search --episodes 10000

check_s           finding out that no episode lacks its embedding
nearest_s         the ten nearest of all embeddings, from the store
encode_s          the text that is looked for, on a loaded encoder
search_s          all three: what a search takes once the encoder is loaded
load_s            loading the encoder, libraries included
memory_mib        growth of the process's peak memory over all searches but the first; blocks bound it
fill_s            writing the episodes and the embeddings
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from simworld.analysis.semantic_search import Encoder, encoder_id, index_episodes, nearest_episodes
from simworld.core.episode import WorkItem
from simworld.core.scenario import Persona, Scenario, Seat
from store import AgentRecord, PlannedItem, RunRecord, open_store
from store.codebook import describe_database
from store.connection import open_engine
from store.database_address import parse_address
from store.tables import EpisodeRow, table

DIMENSIONS = 384
TEXT = "someone apologises and is forgiven"
CHUNK = 5000
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument(
        "--db",
        metavar="URL",
        help="an empty database to fill; default: an SQLite file that is deleted again",
    )
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    start = time.perf_counter()
    from agents.lm.sentence_encoder import load_sentence_encoder

    encoder = load_sentence_encoder()
    encoder.encode([TEXT])
    results: dict[str, Any] = {
        "episodes": args.episodes,
        "load_s": round(time.perf_counter() - start, 2),
    }
    with tempfile.TemporaryDirectory() as folder:
        results |= measure(args.db or f"sqlite:///{folder}/search.db", args.episodes, encoder)
    if not args.json:
        for key, value in results.items():
            print(f"{key}: {value}")
    print(json.dumps(results))


def measure(url: str, episodes: int, encoder: Encoder) -> dict[str, Any]:
    """Medians over a few searches of a database of so many episodes."""
    open_store(url, create=True).close()
    filled = seconds(lambda: fill(url, episodes, encoder_id(encoder)))
    with open_store(url) as store:
        (vector,) = encoder.encode([TEXT])
        id_ = encoder_id(encoder)
        times: dict[str, list[float]] = {"check_s": [], "encode_s": [], "nearest_s": []}
        before = 0.0
        for once in range(ROUNDS):
            before = peak_mib() if once == 1 else before
            times["check_s"].append(seconds(lambda: index_episodes(store, encoder)))
            times["encode_s"].append(seconds(lambda: encoder.encode([TEXT])))
            times["nearest_s"].append(
                seconds(lambda: nearest_episodes(store, id_, vector, limit=10))
            )
        growth = peak_mib() - before
    medians = {name: statistics.median(seconds_taken) for name, seconds_taken in times.items()}
    results = {name: round(value, 3) for name, value in medians.items()}
    rest = {
        "search_s": sum(medians.values()),
        "fill_s": filled,
        "memory_mib": growth,
        "file_mib": describe_database(url).bytes / 2**20,
    }
    return results | {name: round(value, 3) for name, value in rest.items()}


def fill(url: str, episodes: int, encoder: str) -> None:
    """Episodes of no acts, and an embedding of each, of length 1."""
    rng = np.random.default_rng(0)
    seats = tuple(
        Seat(name=name, persona=Persona(name=name), goal="Talk.") for name in ("one", "two")
    )
    scenario = Scenario(name="s", setting="", seats=seats)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    agents = [AgentRecord(id="a", name="a", spec={})]
    run = RunRecord(name="r", seed=0, code_version="", created=now)
    cast = {seat.name: "a" for seat in seats}
    with open_store(url) as store:
        for start in range(0, episodes, CHUNK):
            repeats = range(start, min(start + CHUNK, episodes))
            items = [
                WorkItem(run="r", scenario_id=scenario.id, cast=cast, repeat=repeat)
                for repeat in repeats
            ]
            planned = [PlannedItem(item=item, scenario_name="s", family="s") for item in items]
            store.begin_run(run, planned, [scenario], agents)
            _add_rows(url, items, now)
            vectors = rng.standard_normal((len(items), DIMENSIONS), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            store.add_embeddings(
                encoder,
                {item.episode_id(1): vector for item, vector in zip(items, vectors, strict=True)},
            )


def _add_rows(url: str, items: list[WorkItem], now: datetime) -> None:
    rows = [
        {
            "id": item.episode_id(1),
            "run": item.run,
            "item_key": item.key,
            "attempt": 1,
            "scenario_id": item.scenario_id,
            "scenario_name": "s",
            "family": "s",
            "repeat": item.repeat,
            "seed": item.repeat,
            "ending": "turn_limit",
            "reason": "turn_limit",
            "started": now,
            "ended": now,
            "turns": 10,
            "prompt_tokens": 0,
            "new_tokens": 0,
            "code_version": "",
        }
        for item in items
    ]
    engine = open_engine(parse_address(url), create=False)
    with engine.begin() as connection:
        connection.execute(table(EpisodeRow).insert(), rows)
    engine.dispose()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_mib() -> float:
    """The most memory that the process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
