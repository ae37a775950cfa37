"""How long the named questions of `simworld.connect` take on a large store, such as `python -m bench.store` makes.

    python -m bench.store --episodes 100000 --db big.db --files big
    python -m bench.questions --db big.db

Each question is asked with its defaults (and the run and judge that a store of several needs) in a process that has asked before;
seconds are the median of the rounds, `cpu` the seconds of this process, for other programs may run beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable

from simworld import connect
from simworld.analysis.connect import Analysis
from simworld.analysis.questions.query_source import Note

Question = Callable[[Analysis], object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--db", metavar="URL", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judge", metavar="NAME", help="default: the first by name")
    parser.add_argument(
        "--agents", metavar="A,B", help="who are compared; default: the first two by name"
    )
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    warnings.simplefilter("ignore", Note)
    times: dict[str, dict[str, float]] = {}
    with connect(args.db) as analysis:
        run = str(analysis.runs()["run"].iloc[0])
        judge = args.judge or str(analysis.judges(run=run)["judge"].iloc[0])
        first, second = (
            args.agents.split(",") if args.agents else analysis.agents(run=run)["agent"]
        )[:2]
        for name, ask in questions(run, judge, first, second).items():
            times[name] = timed(analysis, ask, args.rounds)
            if not args.json:
                print(
                    f"{name:>16} {times[name]['seconds']:>7.3f} s {times[name]['cpu']:>7.3f} s cpu"
                )
        episodes = int(analysis.sql("SELECT count(*) AS n FROM episodes")["n"].iloc[0])
    print(json.dumps({"episodes": episodes, "questions": times}))


def questions(run: str, judge: str, first: str, second: str) -> dict[str, Question]:
    return {
        "runs": lambda a: a.runs(),
        "agents": lambda a: a.agents(),
        "judges": lambda a: a.judges(),
        "episodes": lambda a: a.episodes(),
        "transcripts": lambda a: a.transcripts(),
        "scores": lambda a: a.scores(judge=judge),
        "paired": lambda a: a.paired(first, second, run=run, judge=judge),
        "pairs": lambda a: a.pairs(first, second, run=run, judge=judge),
        "standings": lambda a: a.standings(run=run, judge=judge),
        "games": lambda a: a.games(run=run, judge=judge),
        "endings": lambda a: a.endings(),
        "checks": lambda a: a.checks(judge=judge),
        "language": lambda a: a.language(),
        "planner_actions": lambda a: a.planner_actions(),
    }


def timed(analysis: Analysis, ask: Question, rounds: int) -> dict[str, float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        ask(analysis)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    seconds, cpu = (round(statistics.median(column), 3) for column in zip(*times, strict=True))
    return {"seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    main()
