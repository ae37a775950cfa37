"""The user's SQL can read, and nothing else, for a bounded time."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import pytest

import store
from simworld.core.errors import InputError, StoreMismatch
from tests.factories.stored import add, begin, played

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "


@pytest.fixture
def filled(made_url: str) -> str:
    with store.open_store(made_url) as opened:
        for work in begin(opened, repeats=5):
            add(opened, work, played(work, "Good evening.", "Bonsoir 🎻"))
    return made_url


def ask(url: str, sql: str, limit: int = 0, timeout_s: float = 30.0) -> list[tuple[object, ...]]:
    with store.query(url, sql, limit=limit, timeout_s=timeout_s) as answer:
        return list(answer)


def test_a_query_gives_columns_and_rows(filled: str) -> None:
    with store.query(
        filled, "SELECT repeat AS r, turns FROM episodes ORDER BY repeat;\n"
    ) as answer:
        assert answer.columns == ("r", "turns")
        assert list(answer) == [(0, 2), (1, 2), (2, 2), (3, 2), (4, 2)]
        assert not answer.truncated


def test_comments_and_percent_signs_are_left_alone(filled: str) -> None:
    assert ask(filled, "SELECT count(*) FROM acts WHERE text LIKE 'Bon%' -- and nothing else") == [
        (5,)
    ]


def test_the_limit_cuts_and_says_so(filled: str) -> None:
    for limit, cut in ((3, True), (4, True), (5, False), (6, False)):
        with store.query(filled, "SELECT id FROM episodes", limit=limit) as answer:
            assert len(list(answer)) == min(limit, 5)
            assert answer.truncated is cut


def test_no_rows_have_columns(filled: str) -> None:
    with store.query(filled, "SELECT id FROM episodes WHERE repeat = 9") as answer:
        assert answer.columns == ("id",)
        assert list(answer) == []


ODD = 'it\'s \\ "odd" :text -- /* % $$ 🎻\n'


def test_names_stand_for_values(filled: str) -> None:
    columns = "SELECT :a AS a, CAST(:n AS integer) + 1 AS n, :none AS none, count(*) AS acts"
    sql = f"{columns} FROM acts WHERE text LIKE :like AND turn = :n"
    with store.query(filled, sql, {"a": ODD, "n": 1, "none": None, "like": "Bon%"}) as answer:
        assert list(answer) == [(ODD, 2, None, 5)]


def test_a_value_is_never_read_as_sql(filled: str) -> None:
    with store.query(
        filled, "SELECT count(*) FROM acts WHERE text = :t", {"t": "' OR 1 = 1 --"}
    ) as answer:
        assert list(answer) == [(0,)]


def test_colons_in_text_and_casts_are_no_parameters(filled: str) -> None:
    sql = "SELECT ':a', '12:b', \":c\" FROM (SELECT 1 AS \":c\") x -- :d\nWHERE /* :e */ 1 = 1"
    assert ask(filled, sql) == [(":a", "12:b", 1)]
    if filled.startswith("postgresql"):
        assert ask(filled, "SELECT '7'::integer, $q$ :f $q$, (ARRAY[5,6,7])[2:3]") == [
            (7, " :f ", [6, 7])
        ]


@pytest.mark.parametrize(
    ("sql", "values", "said"),
    [
        ("SELECT :a, :b, :a", {"a": 1}, "no value for :b; the query's parameters are :a, :b"),
        ("SELECT :a", {"a": 1, "c": 1}, "no parameter :c in the query; it has :a"),
        ("SELECT 1", {"c": 1}, "no parameter :c in the query; it has none"),
        (
            "SELECT :a",
            {"a": "x\x00"},
            "the value of :a has a character that stored texts cannot hold",
        ),
    ],
)
def test_values_and_names_that_do_not_meet(
    filled: str, sql: str, values: dict[str, str | int], said: str
) -> None:
    with pytest.raises(InputError, match=said), store.query(filled, sql, values):
        pass


WRITES = [
    "DELETE FROM episodes",
    "UPDATE episodes SET repeat = 7",
    "INSERT INTO judges (id, name, spec) VALUES ('x', 'x', '{}')",
    "DROP TABLE acts",
    "CREATE TABLE t (x INT)",
    "CREATE TEMP TABLE t (x INT)",
    "ALTER TABLE acts ADD COLUMN x INT",
    "WITH gone AS (SELECT 1) DELETE FROM acts",
    "BEGIN",
    "COMMIT",
    "VACUUM",
    "SELECT 1; DELETE FROM episodes",
    "SELECT 1; COMMIT; DELETE FROM episodes",
]
SQLITE = [
    "PRAGMA journal_mode=DELETE",
    "PRAGMA user_version=7",
    "ATTACH DATABASE 'other.db' AS other",
    "SELECT load_extension('x.so')",
    "VACUUM INTO 'copy.db'",
    "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)",
    "REINDEX",
]
POSTGRESQL = [
    "COPY (SELECT 1) TO PROGRAM 'touch copied'",
    "COPY acts TO '/tmp/acts'",
    "SET TRANSACTION READ WRITE",
    "SET statement_timeout = 0",
    "RESET ROLE",
    "WITH gone AS (DELETE FROM acts RETURNING *) SELECT * FROM gone",
    "SELECT 1 INTO t",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "DO $$ BEGIN DELETE FROM acts; END $$",
    "EXPLAIN ANALYZE DELETE FROM acts",
    "SELECT * FROM acts FOR UPDATE",
    "CALL x()",
    "LISTEN x",
]


def refusal(url: str, sql: str) -> str:
    """What the store says to a statement that it must refuse."""
    try:
        rows = ask(url, sql)
    except InputError as error:
        return str(error)
    pytest.fail(f"{sql!r} was not refused: {rows}")


def test_nothing_can_be_written(filled: str) -> None:
    for sql in WRITES + (SQLITE if filled.startswith("sqlite") else POSTGRESQL):
        assert "\n" not in refusal(filled, sql), sql
    assert ask(filled, "SELECT count(*), sum(repeat) FROM episodes") == [(5, 10)]
    assert ask(filled, "SELECT count(*) FROM acts") == [(10,)]


def test_what_a_server_lets_a_reading_transaction_do_is_undone(postgresql_url: str) -> None:
    """Older servers make large objects even there, but the transaction is never committed."""
    store.open_store(postgresql_url, create=True).close()
    with contextlib.suppress(InputError):
        ask(postgresql_url, "SELECT lo_create(7)")
    assert ask(postgresql_url, "SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]


def test_one_statement_alone_is_allowed(filled: str) -> None:
    with pytest.raises(InputError):
        ask(filled, "SELECT 1; SELECT 2")


@pytest.mark.parametrize("sql", ["", "  ;  ", "-- nothing"])
def test_an_empty_query(filled: str, sql: str) -> None:
    with pytest.raises(InputError):
        ask(filled, sql)


@pytest.mark.parametrize("what", ["max(x) FROM c", "x FROM c"])
def test_an_endless_query_is_stopped(filled: str, what: str) -> None:
    with pytest.raises(InputError, match=r"stopped after 0.3 seconds.*--timeout"):
        ask(filled, ENDLESS + what, timeout_s=0.3)


def test_an_endless_answer_streams_up_to_the_limit(filled: str) -> None:
    with store.query(filled, ENDLESS + "x FROM c", limit=3) as answer:
        assert list(answer) == [(1,), (2,), (3,)]
        assert answer.truncated


def test_a_long_answer_needs_little_memory(filled: str) -> None:
    with store.query(filled, ENDLESS + "x FROM c", limit=50_000) as answer:
        tracemalloc.start()
        assert sum(1 for _ in answer) == 50_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2_000_000  # 50,000 rows together take more than 5 MB


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM epsiodes", "did you mean 'episodes'"),
        ("SELECT scenario_nam FROM episodes", "did you mean 'scenario_name'"),
        ("SELECT created FROM episodes", "is a column of runs, training_runs"),
        ("SELECT * FROM zzz", "there are acts, agents, attributions, cell_casts, cell_scores,"),
    ],
)
def test_mistakes_are_one_line_with_a_hint(filled: str, sql: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        ask(filled, sql)
    assert "\n" not in str(caught.value)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database" * 100)
    with pytest.raises(StoreMismatch, match="not an SQLite"):
        ask(str(tmp_path / "x.db"), "SELECT 1")


def test_a_reader_role_is_taken_where_there_is_one(postgresql_url: str) -> None:
    import psycopg

    store.open_store(postgresql_url, create=True).close()
    assert ask(postgresql_url, "SELECT current_user") == [("pg_read_all_data",)]
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE simworld_reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO simworld_reader")
        try:
            assert ask(postgresql_url, "SELECT current_user") == [("simworld_reader",)]
            assert ask(postgresql_url, "SELECT count(*) FROM transcripts") == [(0,)]
        finally:
            connection.execute("DROP OWNED BY simworld_reader")
            connection.execute("DROP ROLE simworld_reader")
