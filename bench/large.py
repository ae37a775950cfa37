"""What a large store takes to answer tournaments, pages and SQL, and how fast it takes in more: one JSON line each.

    python -m bench.store --episodes 100000 --db big.db --files big
    python -m bench.large --db big.db --files big

`median_s`, `min_s` and `max_s` are wall time of `n` calls in an open store, `cpu_s` the least processor time of this process. The
last lines add a run of `--add` episodes to the store, and judge it; `cpu_ms` is processor time of this process for each. The named
questions of `simworld.connect` are timed by `bench.questions`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bench.store import BEGAN, add_judges
from bench.synthetic_episodes import SyntheticJudge, make_episode, make_judgements, shares
from simworld.core.episode import Ending, WorkItem
from simworld.core.judgement import Judgement
from simworld.results.games import count_games
from simworld.results.standings import make_standings
from simworld.tournaments.loaded_tournament import Tournament, load_tournament
from simworld.tournaments.results import (
    compare_tournament_agents,
    find_judge_ids,
    read_tournament_scores,
    tournament_results,
)
from store import PlannedItem, RunRecord, Store, open_store, query

# What is asked in SQL, of one run; each answer is an aggregate, never the store.
SQL = {
    "endings by agent": (
        "SELECT s.agent_name, e.ending, e.reason, count(*), avg(e.turns) FROM episodes e "
        "JOIN episode_seats s ON s.episode_id = e.id WHERE e.run = 'cup-0' GROUP BY 1, 2, 3"
    ),
    "checks by family": (
        "SELECT e.family, c.name, c.holds, count(*) FROM checks c JOIN episodes e ON e.id ="
        " c.episode_id WHERE e.run = 'cup-0' GROUP BY 1, 2, 3"
    ),
    "failures by kind, whole store": (
        "SELECT run, failure_boundary, failure_kind, count(*) FROM episodes "
        "WHERE ending = 'failed' GROUP BY 1, 2, 3"
    ),
    "work that is missing, whole store": (
        "SELECT w.run, count(*) FROM work_items w "
        "WHERE NOT EXISTS (SELECT 1 FROM episodes e WHERE e.item_key = w.key) GROUP BY w.run"
    ),
    "one dimension by agent": (
        "SELECT agent_name, count(*), avg(rescaled) FROM episode_scores WHERE run = 'cup-0' "
        "AND judge_name = 'plain' AND dimension = 'goal' GROUP BY 1"
    ),
    "all dimensions by agent in a scenario": (
        "SELECT agent_name, dimension, count(*), avg(rescaled) FROM episode_scores "
        "WHERE run = 'cup-0' AND judge_name = 'plain' AND scenario_name = 'scene-3' GROUP BY 1, 2"
    ),
    "acts and their length by agent": (
        "SELECT s.agent_name, count(*), avg(length(a.text)) FROM acts a JOIN episodes e ON e.id ="
        " a.episode_id JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat"
        " WHERE e.run = 'cup-0' GROUP BY 1"
    ),
    "steered acts by agent": (
        "SELECT s.agent_name, p.planner_id, count(*) FROM plan_steps p JOIN acts a ON a.episode_id"
        " = p.episode_id AND a.turn = p.turn AND a.position = p.position JOIN episodes e ON e.id ="
        " p.episode_id JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat"
        " WHERE e.run = 'cup-0' GROUP BY 1, 2"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--db", metavar="URL", required=True, help="as bench.store has filled it")
    parser.add_argument(
        "--files",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="where bench.store wrote cup-0.yaml",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--add",
        type=int,
        default=300,
        help="episodes to add at the end; 0: leave the store as it is",
    )
    args = parser.parse_args()
    tournament = load_tournament(str(args.files / "cup-0.yaml"))
    with open_store(args.db) as store:
        print(
            json.dumps(
                {
                    "db": args.db.split(":")[0],
                    "episodes": sum(run.episodes for run in store.run_summaries()),
                }
            )
        )
        for name, ask in queries_to_time(store, tournament, args.db, change=args.add > 0):
            print(json.dumps({"question": name, **timed(ask, args.rounds)}), flush=True)
        if args.add:
            for name, rate in insert_rates(store, tournament, args.add):
                print(json.dumps({"added": name, **rate, "n": args.add}), flush=True)


def timed(ask: Callable[[], object], rounds: int) -> dict[str, float]:
    """Seconds of some calls, after one that does not count."""
    ask()
    wall, cpu = [], []
    for _ in range(rounds):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        ask()
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    seconds = {
        "median_s": statistics.median(wall),
        "min_s": min(wall),
        "max_s": max(wall),
        "cpu_s": min(cpu),
    }
    return {**{name: round(value, 4) for name, value in seconds.items()}, "n": rounds}


def queries_to_time(
    store: Store, tournament: Tournament, url: str, *, change: bool
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Name → question; with `change`, one that commits a judgement each time."""
    plain, whole = tournament.judges
    first, second = tournament.agents[:2]
    ids = find_judge_ids(store, tournament.name, plain)
    (last,) = store.episode_summaries(run=tournament.name, limit=1)
    measured = replace(tournament, tie="measured")
    yield "standings", lambda: tournament_results(tournament, store, plain)
    if change:
        again = more_judgements(store, tournament)
        yield (
            "a judgement, then standings",
            lambda: (next(again), tournament_results(tournament, store, plain)),
        )
    yield "standings, ties measured", lambda: tournament_results(measured, store, whole)
    yield (
        "two agents compared",
        lambda: compare_tournament_agents(tournament, store, plain, first, second),
    )
    yield (
        "mean scores of all measures",
        lambda: make_standings(
            count_games(read_tournament_scores(tournament, store, ids)),
            agents=tournament.agents,
            rounds=1,
        ),
    )
    yield (
        "the latest episodes of a run",
        lambda: store.episode_summaries(run=tournament.name, limit=20),
    )
    yield "the latest episodes of an agent", lambda: store.episode_summaries(agent=first, limit=20)
    yield (
        "the latest failures of a run",
        lambda: store.episode_summaries(run=tournament.name, ending=Ending.failed, limit=20),
    )
    yield "an episode by the beginning of its id", lambda: store.episode(last.id[:10])
    yield "judgements of an episode", lambda: store.judgements(last.id)
    yield (
        "what is left to judge in a run",
        lambda: list(store.unjudged(ids[0], 0, run=tournament.name)),
    )
    yield "all runs with their counts", store.run_summaries
    for name, sql in SQL.items():
        yield name, lambda sql=sql: run_query(url, sql)  # type: ignore[misc]


def run_query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with query(url, sql, timeout_s=600) as rows:
        return list(rows)


def more_judgements(store: Store, tournament: Tournament) -> Iterator[Judgement]:
    """Commits a further sample of the first judge, of one episode after the other."""
    first = add_judges(store, tournament)[0]
    for summary in store.episode_summaries(run=tournament.name, limit=1000):
        if summary.failure is None:
            names = {seat.seat: seat.agent_name for seat in summary.seats}
            cast = {seat.seat: seat.agent_id for seat in summary.seats}
            item = WorkItem(
                run=summary.run, scenario_id=summary.scenario_id, cast=cast, repeat=summary.repeat
            )
            made = next(make_judgements(first, item, names, summary.id, summary.family))
            sample = 1 + max(
                (one.judgement.sample for one in store.judgements(summary.id)), default=0
            )
            made = replace(made, sample=sample)
            assert store.add_judgement(made, shares(first, made))
            yield made


def insert_rates(
    store: Store, tournament: Tournament, episodes: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """What a store takes in, one transaction each."""
    run = next(
        name
        for name in (f"added-{n}" for n in count())
        if name not in {known.run.name for known in store.run_summaries()}
    )
    (last,) = store.episode_summaries(run=tournament.name, limit=1)
    scenario = next(one for one in tournament.scenarios if len(one.seats) == 2)
    agents = [store.agent(seat.agent_id) for seat in last.seats[:2]]
    cast = {seat.name: agent.id for seat, agent in zip(scenario.seats, agents, strict=True)}
    names = {seat.name: agent.name for seat, agent in zip(scenario.seats, agents, strict=True)}
    items = [
        WorkItem(run=run, scenario_id=scenario.id, cast=cast, repeat=repeat)
        for repeat in range(2 * episodes)
    ]
    planned = [
        PlannedItem(item=item, scenario_name=scenario.name, family=scenario.family)
        for item in items
    ]
    created = datetime.now(UTC)
    store.begin_run(
        RunRecord(name=run, seed=0, code_version="bench", created=created),
        planned,
        [scenario],
        agents,
    )
    for name, of, steered in (
        ("episodes", items[:episodes], ""),
        ("steered episodes", items[episodes:], agents[0].name),
    ):
        played = [(item, make_episode(item, names, steered=steered)) for item in of]
        stopwatch = Stopwatch()
        for item, episode in played:
            store.add_episode(
                item,
                1,
                episode,
                scenario_name=scenario.name,
                family=scenario.family,
                started=BEGAN,
                ended=BEGAN + timedelta(days=400),
            )
        yield name, stopwatch.each(episodes)
    first: SyntheticJudge = add_judges(store, tournament)[0]
    made = [
        next(make_judgements(first, item, names, item.episode_id(1), scenario.family))
        for item in items[:episodes]
    ]
    stopwatch = Stopwatch()
    for judgement in made:
        store.add_judgement(judgement, shares(first, judgement))
    yield "judgements of 14 verdicts", stopwatch.each(episodes)


class Stopwatch:
    """When something began."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def each(self, count: int) -> dict[str, float]:
        """How fast so many were done."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"per_second": round(count / wall, 1), "cpu_ms": round(1000 * cpu / count, 2)}


if __name__ == "__main__":
    main()
