"""Commands killed at random moments and called again until they are done: no row is lost, doubled
or other than in peace.

The commands run in forks of this process, which has loaded everything, so that a kill costs no
start-up; some are started cold.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import sqlalchemy
from sqlalchemy import create_engine

from simworld import cli
from store.tables import Base
from tests.campaign.part import Finding, Outcome, Told, chance
from tests.campaign.server import PASSING, Said, Server, serving
from tests.campaign.worker import SPAWN
from tests.conftest import make_database, run_postgresql, server_binaries
from tests.factories.tournaments import write

# What the commands load, loaded before the forks
LOADED = (
    "agents.lm.server.openai_backend", "alembic.command", "openai.resources.chat.completions",
    "psycopg", "rich.progress", "simworld.cli.judge.run", "simworld.cli.run",
    "simworld.cli.tournament_run", "simworld.judging.judging_pass", "simworld.runner.stored_run",
    "simworld.tournaments.cost_estimate", "simworld.tournaments.results_json", "simworld.tournaments.play",
    "store.migrations.migrate",
)  # fmt: skip
REPEATS = 12
WAIT_S = 60.0  # for a command that nobody disturbs
COLD = 0.1  # of the kills hit a process that is only starting
COLD_S = 0.9
OWN = re.compile(r"/(simworld|scenarios|agents|store)/[^\n]*\.py")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# What may differ between two runs that are the same: times, and the order in which episodes ended.
VOLATILE = frozenset(
    {
        "created",
        "started",
        "ended",
        "judged",
        "latency_s",
        "profile",
        "number",
        "stale",
        "casts",
        "scores",
        "retests",
        "finished",
    }
)
PLAY = (
    "run",
    "k0.yaml",
    "k1.yaml",
    "k2.yaml",
    "k3.yaml",
    "--name",
    "plain",
    "--repeats",
    str(REPEATS),
)
WORK: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "run, scripted": (
        (*PLAY, "--agents", "ada.yaml,ben.yaml", "--agents", "ben.yaml,cyn.yaml", "--live", "4"),
    ),
    "run, server": (
        (
            *PLAY[:3],
            *PLAY[-4:],
            "--agents",
            "talker.yaml,ada.yaml",
            "--agents",
            "ben.yaml,talker.yaml",
        ),
    ),
    "judge run": (
        (*PLAY, "--agents", "ada.yaml,ben.yaml"),
        ("judge", "run", "--judge", "verdict.yaml"),
    ),
    "tournament run": (("tournament", "run", "cup.yaml", "--json"),),
}
TOURNAMENT = (
    "name: cup\nagents: [ada.yaml, ben.yaml, cyn.yaml]\nscenarios: ['k[0-3].yaml']\nrepeats:"
    " 2\njudges: [verdict.yaml]\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended, and what it said."""

    code: int  # negative: by a signal
    err: str
    seconds: float
    hit: bool  # a signal was sent while it ran


class Kills:
    """The part; each case does one piece of work under kills, on SQLite or PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        url = self._stack.enter_context(talking())
        os.chdir(folder)
        for module in LOADED:
            importlib.import_module(module)
        write(folder, families=4, agents=("ada", "ben", "cyn"))
        Path("talker.yaml").write_text(
            f"name: talker\nmodel: openai:talker@{url}\n", encoding="utf-8"
        )
        Path("verdict.yaml").write_text(
            f"name: verdict\nmodel: openai:judge@{url}\nmethod: server\none_call: true\n",
            encoding="utf-8",
        )
        Path("cup.yaml").write_text(TOURNAMENT, encoding="utf-8")
        self._postgresql: str | None = None
        if server_binaries() is not None:
            self._postgresql = self._stack.enter_context(run_postgresql())
        # work → content, seconds of its last command
        self._peace: dict[str, tuple[str, float]] = {}

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Kills a command several times, lets it end, and compares."""
        draw = chance("kills", seed)
        name = draw.choice(list(WORK))
        if name not in self._peace:
            tell(f"{name} in peace")
            self._peace[name] = self._undisturbed(name, folder)
        content, seconds = self._peace[name]
        remote = self._postgresql is not None and draw.random() < 0.4
        url = (
            make_database(self._postgresql)
            if remote and self._postgresql
            else f"sqlite:///{folder}/killed.db"
        )
        *before, last = WORK[name]
        for command in before:
            tell(f"{name}: {command[0]} before")
            _must_end(self._call(command, url, folder))
        counts = dict.fromkeys(
            (
                "kills",
                "by SIGKILL",
                "by SIGTERM",
                "by SIGINT",
                "on PostgreSQL",
                "of a process that was starting",
            ),
            0,
        )
        findings: list[Finding] = []
        tries = draw.randint(4, 10)
        for _ in range(tries):
            sent = draw.choice(SIGNALS)
            cold = draw.random() < COLD
            after = draw.uniform(0, COLD_S) if cold else draw.uniform(0, 1.5 * seconds / tries)
            tell(f"{name}: {sent.name} after {after:.2f} s" + (", cold" if cold else ""))
            ended = self._call(last, url, folder, kill=(sent, after), cold=cold)
            if not ended.hit:
                continue
            counts["kills"] += 1
            counts[f"by {sent.name}"] += 1
            counts["on PostgreSQL"] += remote
            counts["of a process that was starting"] += cold
            findings += [
                Finding(what=f"{name}: {one.what}", detail=one.detail)
                for one in wrong(ended, sent, cold)
            ]
            if not remote and Path(folder / "killed.db").exists():
                findings += _damaged(folder / "killed.db", name)
        tell(f"{name}: to its end")
        try:
            _must_end(self._call(last, url, folder))
            found = content_of(url)
        except (RuntimeError, sqlalchemy.exc.SQLAlchemyError) as error:
            findings.append(Finding(what=f"{name}: does not end after kills", detail=str(error)))
        else:
            if found != content:
                findings.append(
                    Finding(
                        what=f"{name}: other content than in peace",
                        detail=difference(content, found),
                    )
                )
        return Outcome(counts={"pieces of work": 1} | counts, findings=tuple(findings))

    def close(self) -> None:
        """Stops the servers."""
        self._stack.close()

    def _undisturbed(self, name: str, folder: Path) -> tuple[str, float]:
        url = f"sqlite:///{folder}/peace.db"
        for command in WORK[name]:
            ended = self._call(command, url, folder)
            _must_end(ended)
        return content_of(url), ended.seconds

    def _call(
        self,
        command: tuple[str, ...],
        url: str,
        folder: Path,
        *,
        kill: tuple[signal.Signals, float] | None = None,
        cold: bool = False,
    ) -> Ended:
        args = [*command, "--db", url]
        began = time.monotonic()
        with (folder / "err").open("w+b") as err:
            pid = _cold(args, err.fileno()) if cold else _fork(args, err.fileno())
            hit = False
            if kill is not None and not _over(pid, kill[1]):
                os.kill(pid, kill[0])
                hit = True
            if not _over(pid, WAIT_S):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise RuntimeError(f"{' '.join(args)} did not end within {WAIT_S:g} s")
            _, status = os.waitpid(pid, 0)
            err.seek(0)
            said = err.read().decode(errors="replace")
        return Ended(
            code=os.waitstatus_to_exitcode(status),
            err=said,
            seconds=time.monotonic() - began,
            hit=hit,
        )


def wrong(ended: Ended, sent: signal.Signals, cold: bool) -> list[Finding]:
    """What is wrong with how a process ended that was sent a signal; it may have been done
    already."""
    if cold and sent is signal.SIGINT and ended.code in (-sent, 1) and not OWN.search(ended.err):
        return []  # Python was starting, and ends with either; none of our code ran yet
    expected = {0, 130} if sent is signal.SIGINT else {0, -sent}
    when = " while it starts" if cold else ""
    found = []
    if ended.code not in expected:
        found.append(
            Finding(
                what=f"exit code {ended.code} after {sent.name}{when}", detail=ended.err[-2000:]
            )
        )
    if "Exception ignored in" in ended.err:
        found.append(Finding(what=f"{sent.name} was lost in a callback", detail=ended.err[-2000:]))
    elif "Traceback" in ended.err:
        found.append(Finding(what=f"a traceback after {sent.name}{when}", detail=ended.err[-2000:]))
    return found


def content_of(url: str) -> str:
    """Everything in a database that two equal runs have in common, as lines of text."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    lines = []
    try:
        with engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                columns = [column for column in table.columns if column.name not in VOLATILE]
                rows = connection.execute(sqlalchemy.select(*columns))
                lines += sorted(
                    f"{table.name} {json.dumps(list(row), sort_keys=True, default=str)}"
                    for row in rows
                )
    finally:
        engine.dispose()
    return "\n".join(lines)


def difference(expected: str, found: str) -> str:
    """The first lines that only one of two contents has."""
    one, two = expected.splitlines(), found.splitlines()
    lost = [line for line in one if line not in set(two)]
    more = [line for line in two if line not in set(one)]
    return "\n".join(
        [
            f"{len(one)} rows in peace, {len(two)} here",
            *(f"- {x[:300]}" for x in lost[:5]),
            *(f"+ {x[:300]}" for x in more[:5]),
        ]
    )


@contextmanager
def talking() -> Iterator[str]:
    """The address of a server in a process of its own, which fails at times and answers when asked
    again."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_talk, args=(theirs,))
    process.start()
    try:
        yield str(ours.recv())
    finally:
        process.kill()
        process.join()


def _talk(pipe: Connection) -> None:
    with serving(Server(_say, share=0.1, faults=PASSING, once=True)) as server:
        pipe.send(server.url)
        with contextlib.suppress(EOFError):
            pipe.recv()  # until the campaign is gone


def _say(body: Mapping[str, Any]) -> Said:
    content = json.dumps([body["messages"], body.get("seed")], sort_keys=True)
    number = int(sha256(content.encode()).hexdigest(), 16)
    time.sleep(0.002)
    if body["model"] != "judge":
        return Said(text=f"I have {number % 1000} reasons, and {number // 1000 % 1000} more.")
    schema = body["response_format"]["json_schema"]["schema"]
    verdict = {
        seat: {dimension: {"reason": "so", "score": 0} for dimension in inner["properties"]}
        for seat, inner in schema["properties"].items()
    }
    return Said(text=json.dumps(verdict))


def _fork(args: list[str], err: int) -> int:
    pid = os.fork()
    if pid == 0:
        _become(args, err)
    return pid


def _become(args: list[str], err: int) -> NoReturn:
    """Is a `simworld` command, as one that was started by a shell, and ends."""
    code, entered = 70, False
    try:
        os.dup2(err, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["simworld", *args]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        entered = True
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:  # the boundary of the process: what Python would print
        import traceback

        code = 1
        if isinstance(error, KeyboardInterrupt) and not entered:
            code = 130  # still in the campaign's own lines
        else:
            traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _cold(args: list[str], err: int) -> int:
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        files = [
            (os.POSIX_SPAWN_DUP2, nowhere, 0),
            (os.POSIX_SPAWN_DUP2, nowhere, 1),
            (os.POSIX_SPAWN_DUP2, err, 2),
        ]
        command = [sys.executable, "-m", "simworld", *args]
        return os.posix_spawn(
            sys.executable, command, os.environ, file_actions=files, setsigdef=[signal.SIGINT]
        )
    finally:
        os.close(nowhere)


def _over(pid: int, seconds: float) -> bool:
    """Whether a process ended within the time; it stays to be waited for."""
    watch = os.pidfd_open(pid)
    try:
        return bool(select.select([watch], [], [], seconds)[0])
    finally:
        os.close(watch)


def _must_end(ended: Ended) -> None:
    if ended.code:
        raise RuntimeError(f"exit code {ended.code}: {ended.err}")


def _damaged(path: Path, name: str) -> list[Finding]:
    copy = path.with_name("copy.db")
    for suffix in ("", "-wal"):  # a look must not change what the next command meets
        if path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    try:
        with closing(sqlite3.connect(copy)) as file:
            told = file.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        told = str(error)
    for left in path.parent.glob("copy.db*"):
        left.unlink()
    return (
        []
        if told == "ok"
        else [Finding(what=f"{name}: a damaged database after a kill", detail=told)]
    )
