"""SQL that would keep a machine busy or fill its memory is ended in time, whatever operation of
SQLite it is in."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import store
from simworld.core.errors import InputError
from tests.factories.stored import add, begin, played

NUMBERS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
# Each is one operation of SQLite that lasts for minutes
ONE_OPERATION = {
    "instr": "SELECT instr(hex(zeroblob(49000000)), hex(zeroblob(20000000)) || '1')",
    "like": f"SELECT hex(zeroblob(49000000)) LIKE '{'%0' * 400}1'",
    "glob": f"SELECT hex(zeroblob(49000000)) GLOB '{'*0' * 400}1'",
    "replace": "SELECT replace(hex(zeroblob(49000000)), hex(zeroblob(20000000)) || '1', 'x')",
}
SERVED = {
    "sort": f"{NUMBERS}SELECT randomblob(100000) FROM c ORDER BY 1",
    "group_concat": f"{NUMBERS}SELECT group_concat(hex(zeroblob(10000)) || x) FROM c",
    "cross": (
        "SELECT sum(length(a.text)) FROM acts a, acts b, acts c, acts d, acts e, acts f, acts g,"
        " acts h, acts i"
    ),
    "distinct": f"{NUMBERS}SELECT count(DISTINCT randomblob(1000)) FROM c",
}
TOO_MUCH = {
    "values": ("SELECT " + ", ".join(["zeroblob(90000000)"] * 40), "memory|a row of"),
    "blob": ("SELECT length(zeroblob(2000000000))", "too big"),
    "chain": ("SELECT hex(hex(hex(zeroblob(90000000))))", "too big"),
    "json": (
        (
            "SELECT count(*) FROM json_each('[' || replace(hex(zeroblob(40000000)), '00', '1,') ||"
            " '1]')"
        ),
        "memory|json|too big",
    ),
    "deep": (f"SELECT {'(' * 5000}1{')' * 5000}", "overflow|depth"),
    "long": (f"SELECT '{'x' * 2_000_000}'", "too large"),
}


@pytest.fixture
def url(sqlite_template: Path) -> str:
    return f"sqlite:///{sqlite_template}"


@pytest.fixture
def filled(tmp_path: Path) -> str:
    with store.open_store(made := str(tmp_path / "world.db"), create=True) as opened:
        for work in begin(opened, repeats=5):
            add(opened, work, played(work, "Good evening.", "Bonsoir"))
    return made


@pytest.mark.parametrize(
    "sql", [*ONE_OPERATION.values(), *SERVED.values()], ids=[*ONE_OPERATION, *SERVED]
)
def test_the_time_ends_every_query(filled: str, sql: str) -> None:
    with (
        pytest.raises(InputError, match=r"stopped after 0.5 seconds"),
        store.query(filled, sql, timeout_s=0.5) as answer,
    ):
        list(answer)


@pytest.mark.parametrize(("sql", "said"), list(TOO_MUCH.values()), ids=list(TOO_MUCH))
def test_memory_is_bounded(url: str, sql: str, said: str) -> None:
    with (
        pytest.raises(InputError, match=said) as caught,
        store.query(url, sql, timeout_s=20) as answer,
    ):
        list(answer)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_an_answer_is_bounded_by_bytes_too(url: str) -> None:
    rows = f"{NUMBERS}SELECT hex(zeroblob(500)) FROM c"  # of 1,000 characters
    with store.query(url, rows, limit=100, max_bytes=10_000) as answer:
        assert [len(row[0]) for row in answer] == [1000] * 10
    assert answer.truncated
    assert (
        answer.truncation_note("all: 0")
        == "only the first 10 rows: more would exceed 1 MB; ask for less of each"
    )
    with store.query(url, rows, limit=10, max_bytes=10_000) as answer:
        assert sum(1 for _ in answer) == 10
    assert answer.truncation_note("all: 0") == "only the first 10 rows; all: 0"
    with store.query(url, f"{rows} LIMIT 10", max_bytes=10_000) as answer:
        assert sum(1 for _ in answer) == 10
    assert answer.truncation_note("all: 0") == ""


def test_a_row_that_is_too_large_says_how_to_see_it(url: str) -> None:
    sql = "SELECT 1 UNION ALL SELECT hex(zeroblob(10000000))"
    with store.query(url, sql, max_bytes=1 << 22) as answer:
        rows = iter(answer)
        assert next(rows) == (1,)
        with pytest.raises(
            InputError, match=r"a row of 19 MB is more than the 4 MB .* substr\(text, 1, 1000\)"
        ):
            next(rows)


def test_values_come_back_as_they_are(url: str) -> None:
    values: dict[str, str | int | float | None] = {
        "whole": -(2**63), "real": 1e300, "nothing": None, "text": "a\u2028\U0001f3bb'", "empty": ""
    }  # fmt: skip
    sql = "SELECT :whole, :real, :nothing, :text, :empty, x'00ff', -0.0, 9e999"
    with store.query(url, sql, values) as answer:
        ((*given, blob, zero, infinite),) = answer
    assert given == list(values.values())
    assert (blob, str(zero), infinite) == (b"\x00\xff", "-0.0", float("inf"))


def test_a_number_that_sqlite_cannot_hold(url: str) -> None:
    with pytest.raises(InputError, match="too large"), store.query(url, "SELECT :n", {"n": 2**63}):
        pass


def test_what_the_reader_raises_is_not_blamed_on_the_query(url: str) -> None:
    def read() -> None:
        with store.query(url, "SELECT 1"):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        read()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that queries start."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr("store.sqlite_process.subprocess.Popen", Noted)
    return started


def test_no_process_is_left(url: str, made: list[subprocess.Popen[bytes]]) -> None:
    for limit in (1, 0):
        with store.query(url, f"{NUMBERS}SELECT x FROM c LIMIT 3", limit=limit) as answer:
            list(answer)
    with pytest.raises(InputError), store.query(url, ONE_OPERATION["instr"], timeout_s=0.2):
        pass
    assert [process.returncode is None for process in made] == [False] * 3
    assert not [thread for thread in threading.enumerate() if thread.name == "query"]


class Waited:
    """What a query asks again and again while it waits; calls `then` at the third time."""

    def __init__(self, then: Callable[[], bool]) -> None:
        self.asked = 0
        self.then = then

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked >= 3 and self.then()


def test_ctrl_c_ends_a_query(url: str, made: list[subprocess.Popen[bytes]]) -> None:
    def interrupt() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return False

    with (
        pytest.raises(KeyboardInterrupt),
        store.query(url, ONE_OPERATION["instr"], should_stop=Waited(interrupt)) as answer,
    ):
        list(answer)
    assert [process.returncode is None for process in made] == [False]


def test_a_query_that_nobody_waits_for_is_ended(
    url: str, made: list[subprocess.Popen[bytes]]
) -> None:
    waited = Waited(lambda: True)
    with (
        pytest.raises(InputError, match="stopped"),
        store.query(url, ONE_OPERATION["instr"], should_stop=waited),
    ):
        pass
    assert waited.asked == 3
    assert [process.returncode is None for process in made] == [False]
