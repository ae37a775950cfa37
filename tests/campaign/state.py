"""What the campaign has come to, in one SQLite file: calls, counts, the next case of each part, and
findings."""

from __future__ import annotations

import datetime
import platform
import sqlite3
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.part import Finding, Outcome

SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, started TEXT, ended TEXT, command TEXT, machine TEXT, code TEXT);
CREATE TABLE IF NOT EXISTS cases (part TEXT PRIMARY KEY, next INTEGER, seconds REAL);
CREATE TABLE IF NOT EXISTS counts (part TEXT, name TEXT, number INTEGER, PRIMARY KEY (part, name));
CREATE TABLE IF NOT EXISTS findings (
  part TEXT, what TEXT, seed INTEGER, detail TEXT, times INTEGER, code TEXT, mended TEXT DEFAULT '', PRIMARY KEY (part, what)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A kind of fault, with the first case that showed it; `mended` is the code under which it no
    longer did."""

    part: str
    what: str
    seed: int
    detail: str
    times: int
    code: str
    mended: str


class State:
    """The file; may be used by several threads. Each case is one transaction, so that a killed
    campaign goes on with the next."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False)
        self._file.executescript(SCHEMA)
        self._code = code_version()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def begin_call(self, command: str) -> int:
        """The number of a call, for `end_call`."""
        with self._lock, self._file:
            cursor = self._file.execute(
                "INSERT INTO calls (started, command, machine, code) VALUES (?, ?, ?, ?)",
                (_now(), command, machine(), self._code),
            )
        return cursor.lastrowid or 0

    def end_call(self, number: int) -> None:
        """Writes down when a call ended."""
        with self._lock, self._file:
            self._file.execute("UPDATE calls SET ended = ? WHERE number = ?", (_now(), number))

    def next_case(self, part: str) -> int:
        """The first case that was not done yet."""
        with self._lock:
            row = self._file.execute("SELECT next FROM cases WHERE part = ?", (part,)).fetchone()
        return int(row[0]) if row else 0

    def add(self, part: str, seed: int, outcome: Outcome, seconds: float) -> None:
        """Adds a case: its counts and its findings; the next case is the one after it."""
        with self._lock, self._file:
            self._file.execute(
                "INSERT INTO cases VALUES (?, ?, ?) ON CONFLICT (part) DO UPDATE SET next ="
                " excluded.next, seconds = seconds + excluded.seconds",
                (part, seed + 1, seconds),
            )
            for name, number in outcome.counts.items():
                self._file.execute(
                    "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (part, name) "
                    "DO UPDATE SET number = number + excluded.number",
                    (part, name, number),
                )
            for finding in outcome.findings:
                self._add_finding(part, seed, finding)

    def _add_finding(self, part: str, seed: int, finding: Finding) -> None:
        # A fault that came back after it was mended is told of by its new case.
        self._file.execute(
            "INSERT INTO findings (part, what, seed, detail, times, code) VALUES (?, ?, ?, ?, 1, ?)"
            " ON CONFLICT (part, what) DO UPDATE SET times = times + 1, mended = '', seed = CASE"
            " WHEN mended = '' THEN seed ELSE excluded.seed END, detail = CASE WHEN mended = ''"
            " THEN detail ELSE excluded.detail END",
            (part, finding.what, seed, finding.detail, self._code),
        )

    def mend(self, part: str, what: str) -> None:
        """Writes down that the case of a finding no longer shows it."""
        with self._lock, self._file:
            self._file.execute(
                "UPDATE findings SET mended = ? WHERE part = ? AND what = ?",
                (self._code, part, what),
            )

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """The totals, by part and name."""
        found: dict[str, dict[str, int]] = {}
        with self._lock:
            for part, name, number in self._file.execute(
                "SELECT part, name, number FROM counts ORDER BY rowid"
            ):
                found.setdefault(part, {})[name] = number
        return found

    def seconds(self, part: str) -> float:
        """How long the cases of a part took in all."""
        with self._lock:
            row = self._file.execute("SELECT seconds FROM cases WHERE part = ?", (part,)).fetchone()
        return float(row[0]) if row else 0.0

    def findings(self) -> list[Found]:
        """All of them, by part."""
        with self._lock:
            rows = self._file.execute(
                "SELECT part, what, seed, detail, times, code, mended FROM findings ORDER BY part,"
                " rowid"
            ).fetchall()
        names = ("part", "what", "seed", "detail", "times", "code", "mended")
        return [Found(**dict(zip(names, row, strict=True))) for row in rows]

    def calls(self) -> list[tuple[str, str, str, str, str]]:
        """Started, ended (empty where it was killed), command, machine and code, in order."""
        with self._lock:
            return self._file.execute(
                "SELECT started, coalesce(ended, ''), command, machine, code FROM calls ORDER BY"
                " number"
            ).fetchall()


def machine() -> str:
    """The processor's name and number of cores, as `lscpu` tells them."""
    try:
        told = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        told = ""
    facts = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    name = facts.get("Model name", platform.processor() or platform.machine()).strip()
    cores = facts.get("CPU(s)", "?").strip()
    return f"{name}, {cores} cores"


def code_version() -> str:
    """The commit that is attacked, with a + where files were changed since."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
