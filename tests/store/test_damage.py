"""A cell that simworld never stores: reading it is one line that names table, row and column, and
says what was expected."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import store
from simworld.core.errors import StoreDamaged, StoreError, StoreMismatch
from store.damage import find_damage
from store.database_address import parse_address
from tests.factories.stored import add, begin, played
from tests.sql_events import at_each


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "world.db"
    with store.open_store(str(path), create=True) as opened:
        work, *_ = begin(opened)
        add(opened, work, played(work, "Good evening.", "Bonsoir"))
    return path


def change(path: Path, statement: str) -> None:
    """Runs a statement that the schema would not allow."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA ignore_check_constraints=ON")
        connection.execute(statement)


def read(path: Path) -> None:
    with store.open_store(str(path), read_only=True) as opened:
        list(opened.episodes())
        for summary in opened.run_summaries():
            opened.planned_items(summary.run.name)
        for episode in opened.episode_summaries():
            opened.scenario(episode.scenario_id)


def test_a_whole_database_has_no_damage(path: Path) -> None:
    read(path)
    assert find_damage(parse_address(str(path))) is None


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE acts SET recipients = '[' WHERE turn = 1", "turn=1 position=0, column recipients: found '['; expected JSON"),
        ("UPDATE acts SET recipients = '{}'", "column recipients: found '{}'; expected other JSON"),
        ("UPDATE acts SET recipients = NULL", "column recipients: found nothing; expected a value"),
        ("UPDATE acts SET kind = 'shout'", "column kind: found 'shout'; expected one of speak, non-verbal, action, leave, none"),
        ("UPDATE acts SET text = CAST(x'41ff' AS TEXT)", "column text: found text that is not UTF-8, 2 bytes; expected text"),
        ("UPDATE episodes SET started = 'noon'", "column started: found 'noon'; expected a time"),
        ("UPDATE episodes SET seed = 'many'", "column seed: found 'many'; expected a whole number as text"),
        ("UPDATE episodes SET seed = '" + "9" * 5000 + "'", "expected a whole number as text"),
        ("UPDATE episodes SET ending = 7", "column ending: found '7'; expected one of terminated, turn_limit, failed"),
        ("UPDATE episodes SET turns = 'four'", "column turns: found 'four'; expected a whole number from 0"),
        ("UPDATE scenarios SET content = '{}'", "column content: found '{}'; expected a scenario (KeyError: 'setting')"),
        ("UPDATE scenarios SET tags = x'00'", "column tags: found a blob of 1 byte; expected JSON as text"),
        ("UPDATE work_items SET casting = '{'", "column casting: found '{'; expected JSON"),
    ],
)  # fmt: skip
def test_the_cell_is_named(path: Path, statement: str, said: str) -> None:
    change(path, statement)
    with pytest.raises(StoreDamaged) as caught:
        read(path)
    text = str(caught.value)
    assert f"{path} is damaged: table " in text
    assert said in text
    assert "correct that cell, or restore the file from a copy" in text
    assert "\n" not in text
    assert caught.value.exit_code == 2


def test_an_episode_of_endless_turns_fills_no_memory(path: Path) -> None:
    change(path, f"UPDATE episodes SET turns = {10**15}")
    with pytest.raises(
        StoreDamaged, match=r"episodes says turns=1000000000000000, table acts holds 2 acts"
    ):
        read(path)


@pytest.mark.parametrize("profile", ["true", "[]", '{"commands": 1}', '{"commands": [1]}'])
def test_a_profile_of_another_shape(path: Path, profile: str) -> None:
    change(path, f"UPDATE runs SET profile = '{profile}'")
    found = find_damage(parse_address(str(path)))
    assert found is not None
    assert (found.table, found.column) == ("runs", "profile")


@pytest.mark.parametrize("table", ["acts", "episodes", "work_items", "runs"])
def test_a_table_that_is_gone(path: Path, table: str) -> None:
    change(path, f"DROP TABLE {table}")
    with pytest.raises(
        StoreDamaged,
        match=rf"is damaged, or another program has changed it \(no such table: .*{table}",
    ):
        read(path)


def test_a_vector_of_another_length(path: Path) -> None:
    change(
        path,
        "INSERT INTO plan_steps (episode_id, turn, position, encoder_id, planner_id, noisy, state,"
        " state_dtype, state_shape) SELECT episode_id, turn, position, 'e', '', 0, x'0000', '<f4',"
        " '[3]' FROM acts",
    )
    with pytest.raises(
        StoreDamaged,
        match="found a blob of 2 bytes; expected 12 bytes, as state_dtype and state_shape",
    ):
        read(path)


def test_a_fault_that_no_cell_explains_stays_what_it_is(path: Path) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with (
        store.open_store(str(path)) as opened,
        at_each("before_cursor_execute", fails),
        pytest.raises(ZeroDivisionError),
    ):
        opened.run_summaries()


@pytest.mark.parametrize("left", [0.1, 0.5])
def test_a_file_that_was_cut_short(path: Path, left: float) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * left)])
    with pytest.raises((StoreMismatch, StoreError)) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_names_in_the_schema_that_are_no_text(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    raw = path.read_bytes()
    assert b"CREATE TABLE acts" in raw
    path.write_bytes(raw.replace(b"CREATE TABLE acts", b"CREATE TABLE \xf2cts"))
    with pytest.raises((StoreMismatch, StoreError)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
