"""Whether memory grows with the store: the peak of a process that asks or adds, on small and large stores; one JSON line each.

    python -m bench.store --episodes 10000 --db small.db --files small
    python -m bench.store --episodes 100000 --db big.db --files big
    python -m bench.memory --db small.db --db big.db --files small

Each job runs in a process of its own; `mib` is the most memory that it held, `start_mib` what it held before the job, with all
libraries.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.large import insert_rates
from simworld.tournaments.loaded_tournament import Tournament, load_tournament
from simworld.tournaments.results import compare_tournament_agents, tournament_results
from store import Store, open_store


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--db",
        metavar="URL",
        action="append",
        required=True,
        help="several times: stores to compare",
    )
    parser.add_argument(
        "--files",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="where bench.store wrote cup-0.yaml",
    )
    parser.add_argument("--job", choices=list(JOBS), help="only this one, in this process")
    args = parser.parse_args()
    if args.job:
        print(json.dumps(peak_memory(args.db[0], args.files, JOBS[args.job])))
        return
    for job in JOBS:
        for db in args.db:
            command = [
                sys.executable,
                "-m",
                "bench.memory",
                "--db",
                db,
                "--files",
                str(args.files),
                "--job",
                job,
            ]
            ran = subprocess.run(command, check=True, capture_output=True, text=True)
            print(
                json.dumps({"job": job, "db": db.rsplit("/", 1)[-1], **json.loads(ran.stdout)}),
                flush=True,
            )


def peak_memory(
    url: str, files: Path, job: Callable[[Store, Tournament], object]
) -> dict[str, float]:
    """Peak memory before and after a job."""
    tournament = load_tournament(str(files / "cup-0.yaml"))
    with open_store(url) as store:
        store.judges()
        before = peak_mib()
        job(store, tournament)
    return {"start_mib": round(before, 1), "mib": round(peak_mib(), 1)}


def peak_mib() -> float:
    """The most memory that the process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def standings(store: Store, tournament: Tournament) -> None:
    """All measures of the first judge."""
    tournament_results(tournament, store, tournament.judges[0])


def compare_agents(store: Store, tournament: Tournament) -> None:
    """Two agents."""
    compare_tournament_agents(tournament, store, tournament.judges[0], *tournament.agents[:2])


def stream_episodes(store: Store, tournament: Tournament) -> None:
    """Every episode of the store, with all its turns."""
    for _ in store.episodes(vectors=False):
        pass


def stream_scores(store: Store, tournament: Tournament) -> None:
    """Every score of one dimension."""
    for _ in store.score_rows(dimension="goal"):
        pass


def add_episodes(store: Store, tournament: Tournament) -> None:
    """A thousand episodes and five hundred judgements."""
    for _ in insert_rates(store, tournament, 500):
        pass


JOBS: dict[str, Callable[[Store, Tournament], object]] = {
    "standings": standings,
    "two agents compared": compare_agents,
    "episodes streamed": stream_episodes,
    "scores streamed": stream_scores,
    "1,000 episodes and 500 judgements added": add_episodes,
}

if __name__ == "__main__":
    main()
