"""Fills a database with a large store, of tournaments that nobody played; the same numbers give the same store.

    python -m bench.store --episodes 100000 --db big.db --files big
    simworld tournament standings big/cup-0.yaml --db big.db

Round robins of `--agents` agents over `--families` scenarios, a tenth of them with three seats; about ten turns an episode; a judge
that gives any number and one that gives whole ones and sometimes looks twice, seven dimensions each. One episode in a hundred
fails, and half of those are played again; the acts of one agent in first repeats carry vectors. Tournament files go to `--files`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agents import make_agent
from bench.bulk_insert import Batch, add_to_batch, insert_batch, make_cells
from bench.synthetic_episodes import (
    SHARE_FAILED,
    SyntheticJudge,
    make_episode,
    make_judgements,
    shares,
)
from simworld.core.requests import ModelInfo
from simworld.core.seeding import derive_seed
from simworld.judging.judge import make_judge
from simworld.runner.agent_pool import AgentPool
from simworld.runner.conversations import Job
from simworld.runner.stored_run import store_plan
from simworld.tournaments.loaded_tournament import Tournament, load_tournament
from simworld.tournaments.tournament_plan import plan_matches, plan_tournament
from store import Store, open_store
from store.codebook import describe_database
from store.connection import open_engine
from store.database_address import parse_address
from store.episode_writing import episode_columns, part_rows, seat_rows
from store.judgements import judgement_row, verdict_rows
from store.tables import EpisodeRow, JudgementRow, VerdictRow

CHUNK = 1000  # episodes per transaction
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SCENE = """\
name: scene-{n}
setting: A room in the evening, number {n}.
seats:
{seats}limits: {{turns: 13}}
checks:
  - {{name: price, kind: number, pattern: '(\\d+) euros', last: true}}
"""
SEAT = "  - {{name: {name}, persona: {{name: {person}}}, goal: Get what {name}s want.}}\n"
JUDGES = {
    "plain": "name: plain\nmodel: builtin:smollm2-135m-instruct\nmethod: statements\n",
    "whole": "name: whole\nmodel: builtin:smollm2-135m-instruct\nmethod: answers\nsamples: 2\n",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--tournaments", type=int, default=4)
    parser.add_argument("--agents", type=int, default=6)
    parser.add_argument("--families", type=int, default=50)
    parser.add_argument(
        "--db", metavar="URL", required=True, help="a database without these tournaments"
    )
    parser.add_argument(
        "--files", metavar="FOLDER", type=Path, required=True, help="where the tournament files go"
    )
    args = parser.parse_args()
    start = time.perf_counter()
    open_store(args.db, create=True).close()
    for tournament in write(args.files, args.tournaments, args.agents, args.families):
        fill(args.db, tournament, args.episodes // args.tournaments)
    make_all_cells(args.db)
    description = describe_database(args.db)
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - start, 1),
                "mib": round(description.bytes / 2**20),
                **{name: rows for name, rows in description.tables if rows},
            }
        )
    )


def write(folder: Path, tournaments: int, agents: int, families: int) -> list[Tournament]:
    """Writes scenarios, agents, judges and tournaments as files, and opens them."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(families):
        people = {
            "host": "Ann Lee",
            "guest": "Bo Ek",
            **({"child": "Cleo Fox"} if n % 10 == 9 else {}),
        }
        seats = "".join(SEAT.format(name=name, person=person) for name, person in people.items())
        (folder / f"scene-{n}.yaml").write_text(SCENE.format(n=n, seats=seats))
    for n in range(agents):
        (folder / f"agent-{n}.yaml").write_text(
            f"name: agent-{n}\nkind: scripted\nlines: [I am {n}., Yes., Well.]\n"
        )
    for name, text in JUDGES.items():
        (folder / f"{name}.yaml").write_text(text)
    names = ", ".join(f"agent-{n}.yaml" for n in range(agents))
    made = []
    for n in range(tournaments):
        path = folder / f"cup-{n}.yaml"
        judges = ", ".join(f"{name}.yaml" for name in JUDGES)
        path.write_text(
            f"name: cup-{n}\nagents: [{names}]\nscenarios: ['scene-*.yaml']\njudges:"
            f" [{judges}]\nseed: {n}\n"
        )
        made.append(load_tournament(str(path)))
    return made


def fill(url: str, tournament: Tournament, episodes: int) -> None:
    """Plays and judges so many work items of a tournament, repeat after repeat; fails where one is
    stored already."""
    agents = {name: make_agent(loaded) for name, loaded in tournament.specs.items()}
    plan = plan_tournament(tournament, plan_matches(tournament))
    plan = replace(plan, repeats=-(-episodes // len(plan.seatings())))
    planned = plan.planned_episodes({name: agent.id for name, agent in agents.items()})[:episodes]
    jobs = plan.make_jobs(agents, planned)
    with open_store(url) as store:
        store_plan(plan, AgentPool(agents=agents, backends={}, infos={}), store, planned)
        judges = add_judges(store, tournament)
    engine = open_engine(parse_address(url), create=False)
    seats: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for start in range(0, len(jobs), CHUNK):
        with engine.begin() as connection:
            batch: Batch = {}
            for number, job in enumerate(jobs[start : start + CHUNK], start):
                cast = (job.item.scenario_id, *job.item.cast.values())
                if cast not in seats:
                    seats[cast] = seat_rows(connection, job.item)
                add_rows(batch, job, number, seats[cast], judges)
            insert_batch(connection, batch)
    engine.dispose()


def make_all_cells(url: str) -> None:
    """Makes what the store keeps for standings."""
    engine = open_engine(parse_address(url), create=False)
    with engine.begin() as connection:
        make_cells(connection)
    engine.dispose()


def add_judges(store: Store, tournament: Tournament) -> list[SyntheticJudge]:
    """Stores the judges of a tournament."""
    judges = []
    info = ModelInfo(
        spec="builtin:smollm2-135m-instruct", id="bench-judge", dtype="bfloat16", context=None
    )
    for spec in tournament.judges:
        made = make_judge(spec, info, "sotopia")
        store.add_judge(made.id, made.name, made.to_json())
        whole = spec.samples > 1
        judges.append(
            SyntheticJudge(
                id=made.id, rubric=made.rubric, whole=whole, noise=0.03, twice=0.1 if whole else 0.0
            )
        )
    return judges


def add_rows(
    batch: Batch,
    job: Job,
    number: int,
    seats: list[dict[str, Any]],
    judges: Sequence[SyntheticJudge],
) -> None:
    """Adds the rows of a work item: its attempts, and the judgements of the last if that did not
    fail."""
    names = {seat["seat"]: seat["agent_name"] for seat in seats}
    steered = "agent-0" if job.item.repeat == 0 else ""
    luck = derive_seed("bench luck", job.item.key) / 2**64
    fails = [True, False] if luck < SHARE_FAILED / 2 else [luck < SHARE_FAILED]
    started = BEGAN + timedelta(seconds=20 * number)
    for attempt, failed in enumerate(fails, 1):
        episode = make_episode(job.item, names, steered=steered, fails=failed)
        row = episode_columns(job.item, attempt, episode) | {
            "scenario_name": job.scenario.name,
            "family": job.scenario.family,
            "started": started,
            "ended": started + timedelta(seconds=8 * attempt),
            "code_version": "bench",
            "parent_id": None,
        }
        add_to_batch(batch, {EpisodeRow: [row], **part_rows(row["id"], episode, seats)})
    for one in judges if not fails[-1] else ():
        for judgement in make_judgements(one, job.item, names, row["id"], job.scenario.family):
            verdicts = verdict_rows(judgement, shares(one, judgement))
            add_to_batch(batch, {JudgementRow: [judgement_row(judgement)], VerdictRow: verdicts})


if __name__ == "__main__":
    main()
