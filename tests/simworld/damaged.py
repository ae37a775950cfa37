"""Databases damaged by a seed, and everything that reads them: what must end as an answer or as one
clear line."""

from __future__ import annotations

import os
import random
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner
from starlette.testclient import TestClient

import simworld
import tests.campaign.damage
from simworld.analysis.ready_queries import ready_queries
from simworld.cli import cli
from simworld.core.errors import SimworldError
from simworld.web.app import PAGES, make_app


def damage(path: Path, seed: int) -> str:
    """Damages a database as the campaign does; returns what was done, for people."""
    return "; ".join(tests.campaign.damage.damage(path, random.Random(seed)))


Read = Callable[[], None]


def readings(path: Path, episodes: list[str], out: Path) -> dict[str, Read]:
    """Everything that reads a database like that of `tests.factories.web_world`, by name; each
    raises for a bug."""
    found: dict[str, Read] = {}
    for args in _commands(path, episodes, out):
        found[f"simworld {' '.join(args)}"] = lambda args=args: _command([*args, "--db", str(path)])  # type: ignore[misc]
    for address in _addresses(episodes):
        found[f"GET {address}"] = lambda address=address: _page(path, address)  # type: ignore[misc]
    for name in QUESTIONS:
        found[f"connect().{name}"] = lambda name=name: _question(path, name)  # type: ignore[misc]
    return found


def _commands(path: Path, episodes: list[str], out: Path) -> Iterator[list[str]]:
    yield from (
        ["db", "info"],
        ["db", "info", "--json"],
        ["db", "export", "--out", str(out / "a.jsonl"), "--force"],
    )
    yield ["db", "export", "--vectors", "--out", str(out / "b.jsonl"), "--force"]
    yield from (["db", "query", f"@{name}", *_given(name, episodes)] for name in ready_queries())
    yield ["db", "query", "SELECT * FROM transcripts", "--csv"]
    yield from (["episode", "list"], ["episode", "list", "--run", "steered"], ["judge", "agree"])
    for id_ in episodes:
        yield from (
            ["episode", "show", id_],
            ["episode", "show", id_, "--json"],
            ["episode", "replay", id_, "--all"],
        )
    cup = str(path.parent / "cup.yaml")
    yield from (
        ["tournament", "status", cup],
        ["tournament", "standings", cup],
        ["tournament", "standings", cup, "--json"],
    )
    yield from (
        ["tournament", "compare", cup, "ada", "ben"],
        ["report", "cup", "--out", str(out / "r.html"), "--force"],
    )
    yield ["train", "inspect", "--run", "steered", "--datasets", str(out / "sets")]
    yield ["train", "inspect", "--run", "steered", "--states-only", "--datasets", str(out / "sets")]


def _given(name: str, episodes: list[str]) -> list[str]:
    values = {"episode": episodes[0], "run": "cup", "first": "ada", "second": "ben", "agent": "ada"}
    required = ready_queries()[name].required
    return [part for given in required for part in ("--set", f"{given}={values.get(given, 'x')}")]


def _addresses(episodes: list[str]) -> Iterator[str]:
    with_parts = (
        "/run/show/cup",
        "/run/show/steered",
        "/agent/show/a-plain",
        "/train/show/haggler",
    )
    yield from with_parts
    yield from (address for address in PAGES if "{" not in address)
    for id_ in episodes:
        yield from (f"/episode/show/{id_}", f"/episode/show/{id_}?seat=seller&made=1")
    yield from ("/tournament/standings?run=cup", "/tournament/compare?run=cup&first=ada&second=ben")
    yield from ("/episode/search?text=euros", "/db/query?ready=endings", "/scenario/list?text=a")


def _command(args: list[str]) -> None:
    result = CliRunner().invoke(cli, args, standalone_mode=False)
    error = result.exception
    if isinstance(error, SimworldError):
        _check_line(error)
    elif error is not None and not isinstance(error, SystemExit):
        raise error


def _page(path: Path, address: str) -> None:
    with TestClient(make_app(str(path)), base_url="http://127.0.0.1:8137") as client:
        response = client.get(address)
    assert response.status_code in (200, 400, 404, 503), response.status_code


QUESTIONS: dict[str, Callable[[simworld.analysis.connect.Analysis], object]] = {
    "runs": lambda found: found.runs(),
    "agents": lambda found: found.agents(),
    "judges": lambda found: found.judges(),
    "episodes": lambda found: found.episodes(),
    "transcripts": lambda found: found.transcripts(),
    "endings": lambda found: found.endings(),
    "scores": lambda found: found.scores(run="cup"),
    "paired": lambda found: found.paired("ada", "ben", run="cup"),
    "pairs": lambda found: found.pairs("ada", "ben", run="cup"),
    "standings": lambda found: found.standings(run="cup"),
    "games": lambda found: found.games(run="cup"),
    "checks": lambda found: found.checks(run="steered"),
    "language": lambda found: found.language(),
    "planner_actions": lambda found: found.planner_actions(),
    "action_vectors": lambda found: found.action_vectors(states=True),
}


def _question(path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with simworld.connect(str(path)) as found:
                QUESTIONS[name](found)
        except SimworldError as error:
            _check_line(error)


def _check_line(error: SimworldError) -> None:
    assert "\n" not in str(error), str(error)
    assert error.exit_code == 2, f"{type(error).__name__}: {error}"


def whole(path: Path) -> bytes:
    """The file without a journal beside it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    raw = path.read_bytes()
    for name in (f"{path}-wal", f"{path}-shm"):
        if os.path.exists(name):
            os.unlink(name)
    return raw
