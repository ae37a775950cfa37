"""What users have instead of a database: each gives one line that says what it is and what to do,
and nothing is harmed."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

import store
from simworld.core.errors import InputError, SimworldError, StoreError, StoreMismatch
from tests.factories.stored import add, begin, judged, played
from tests.sql_events import at_each


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "world.db"


def refused(path: Path, *, create: bool = False) -> SimworldError:
    """The error of opening a file, which must be one line and leave the file as it was."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises((InputError, StoreError)) as caught:
        store.open_store(f"sqlite:///{path}", create=create, busy_timeout_s=0.1)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    return caught.value


def test_reading_commands_never_make_a_database(path: Path) -> None:
    assert "`simworld run` makes one" in str(error := refused(path))
    assert error.exit_code == 2
    assert not path.exists()
    with pytest.raises(InputError, match="no database"), store.query(str(path), "SELECT 1"):
        pass
    with pytest.raises(InputError, match="no database"):
        store.upgrade_store(str(path))
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
def test_a_text_file(path: Path, create: bool) -> None:
    path.write_text("name: last-concert-ticket\n" * 200)
    error = refused(path, create=create)
    assert isinstance(error, StoreMismatch)
    assert "is not an SQLite database" in str(error)


@pytest.mark.parametrize("create", [False, True])
def test_a_folder(tmp_path: Path, create: bool) -> None:
    assert "is a folder" in str(refused(tmp_path, create=create))


@pytest.mark.parametrize("create", [False, True])
def test_the_database_of_another_program(path: Path, create: bool) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE moz_places (url TEXT)")
    connection.close()
    error = refused(path, create=create)
    assert isinstance(error, StoreMismatch)
    assert "not one of simworld (its tables: moz_places)" in str(error)


def test_another_program_on_the_server(postgresql_url: str) -> None:
    import psycopg

    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (id INT)")
    with pytest.raises(StoreMismatch, match=r"not one of simworld \(its tables: customers\)"):
        store.open_store(postgresql_url, create=True)


def test_an_empty_file(path: Path) -> None:
    path.touch()
    assert "is empty" in str(refused(path))
    store.open_store(str(path), create=True).close()
    store.open_store(str(path)).close()


def test_a_damaged_file(path: Path) -> None:
    store.open_store(str(path), create=True).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(4096) + whole[8192:])
    with pytest.raises(StoreError) as caught, store.open_store(str(path)) as opened:
        begin(opened)
    assert "damaged" in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        store.open_store(str(tmp_path / "absent" / "world.db"), create=True)
    with pytest.raises(InputError, match="no folder"):
        store.check_store(str(tmp_path / "absent" / "world.db"))


def test_a_check_says_what_opening_would_and_makes_nothing(path: Path) -> None:
    store.check_store(str(path))
    assert list(path.parent.iterdir()) == []
    store.open_store(str(path), create=True).close()
    store.check_store(str(path))
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreMismatch, match="not an SQLite database"):
        store.check_store(str(path))


def test_a_file_locked_by_another_program(path: Path) -> None:
    with store.open_store(str(path), create=True, busy_timeout_s=0.1) as opened:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            StoreError, match=r"is locked by another program.*nothing new was stored"
        ):
            begin(opened)
        assert opened.run_summaries() == []  # reading goes on beside the writer
        other.execute("COMMIT")
        begin(opened)  # and so does writing, afterwards
        other.close()


def test_a_file_locked_whole(path: Path) -> None:
    store.open_store(str(path), create=True).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    assert "is locked by another program" in str(refused(path))
    with (
        pytest.raises(StoreError, match="is locked"),
        store.query(str(path), "SELECT 1", busy_timeout_s=0.1),
    ):
        pass
    other.close()


def test_a_full_disk_loses_nothing_that_was_stored(path: Path) -> None:
    with store.open_store(str(path), create=True) as opened:
        items = begin(opened, repeats=200)
        add(opened, items[0], played(items[0], "before"))
    # A limit on pages is what a full disk looks like to SQLite: SQLITE_FULL when a page is needed
    pages = sqlite3.connect(path).execute("PRAGMA page_count").fetchone()[0]
    with limited(pages + 4), store.open_store(str(path)) as opened:
        stored = {items[0].episode_id(1)}

        def add_all() -> None:
            for work in items[1:]:
                add(opened, work, played(work, "x" * 1000))
                stored.add(work.episode_id(1))

        with pytest.raises(StoreError) as caught:
            add_all()
    assert str(caught.value) == (
        f"{path} cannot be written: no space is left; free space and run the same command again; "
        "nothing of this episode was stored"
    )
    with store.open_store(str(path)) as opened:
        assert {found.id for found in opened.episodes()} == stored
        assert len(stored) < 200
        for work in items:  # with space again, the same work goes through
            add(opened, work, played(work, "x"))
        assert len(list(opened.episodes())) == 200
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def limited(pages: int) -> AbstractContextManager[None]:
    """Lets databases have so many pages and no more."""
    return at_each("connect", lambda c, _: c.execute(f"PRAGMA max_page_count={pages}"))


@pytest.fixture
def kept() -> Iterator[Path]:
    """A database with one episode, in a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="simworld-"))
    path = folder / "world.db"
    with store.open_store(str(path), create=True) as opened:
        (work, *_) = begin(opened)
        add(opened, work, played(work, "x"))
    # loads what a user without rights to our code could not load
    with store.query(str(path), "SELECT 1") as answer:
        assert list(answer) == [(1,)]
    folder.chmod(0o755)
    yield path
    shutil.rmtree(folder)


@contextmanager
def rights_removed(path: Path, file: int, folder: int) -> Iterator[None]:
    """Changes the rights, and is a user who is not root, to whom they would mean nothing."""
    path.chmod(file)
    path.parent.chmod(folder)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.parent.chmod(0o755)


@pytest.mark.parametrize("folder", [0o755, 0o555])
def test_a_file_that_may_only_be_read(kept: Path, folder: int) -> None:
    with rights_removed(kept, 0o444, folder):
        with store.open_store(str(kept)) as opened:
            (episode,) = opened.episodes()
            judgement = judged(episode.id, {})
            with pytest.raises(
                StoreError,
                match=r"cannot be written: no permission; nothing of this judgement was stored",
            ):
                opened.add_judgement(judgement, {})
        # a query is run by a Python of this user
        if os.access(sys.executable, os.X_OK, effective_ids=True):
            with store.query(str(kept), "SELECT count(*) FROM episodes") as answer:
                assert list(answer) == [(1,)]


def test_a_file_that_may_not_be_read(kept: Path) -> None:
    with rights_removed(kept, 0o000, 0o755), pytest.raises(StoreError, match="no permission"):
        store.open_store(str(kept))


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"postgresql://me:secret@127.0.0.1:{port}/world"
    for open_it in (store.open_store, store.upgrade_store):
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            open_it(url)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_database_that_is_not_on_the_server(postgresql_server: str) -> None:
    with pytest.raises(StoreError, match=r"does not exist") as caught:
        store.open_store(postgresql_server.rsplit("/", 1)[0] + "/absent")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is empty"),
        ("mysql://localhost/x", "databases of the kind 'mysql' are not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///x.db?mode=rwc", "takes no options, found mode"),
        ("postgresql://me:secret@host:port/x", "not a database address"),
        ("://", "not a database address"),
    ],
)
def test_addresses_that_make_no_sense(url: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        store.open_store(url, create=True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b.db", "ünï?.db", "100%.db", "a#b.db", "it's.db"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    store.open_store(str(path), create=True).close()
    assert path.exists()
    with store.query(str(path), "SELECT 1") as answer:
        assert list(answer) == [(1,)]


@pytest.mark.parametrize("create", [False, True])
def test_a_pipe_or_a_device(path: Path, create: bool) -> None:
    os.mkfifo(path)
    for place in (path, Path("/dev/null")):
        error = refused(place, create=create)
        assert isinstance(error, StoreMismatch)
        assert "is a pipe or a device" in str(error)


def test_text_that_is_not_utf8(path: Path) -> None:
    with pytest.raises(InputError, match="not UTF-8"):
        store.open_store("\udcff.db", create=True)
    with pytest.raises(InputError, match="not UTF-8"), store.query(str(path), "SELECT '\udcff'"):
        pass


@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_is_gone_takes_no_more_episodes(path: Path, moved: bool) -> None:
    with store.open_store(str(path), create=True) as opened:
        work, *_ = begin(opened)
        path.rename(path.with_name("elsewhere.db")) if moved else path.unlink()
        with pytest.raises(
            StoreError, match=r"was deleted, moved or replaced .*nothing of this episode was stored"
        ):
            add(opened, work, played(work))


def test_opening_waits_for_another_reader_before_it_sets_the_journal(path: Path) -> None:
    store.open_store(str(path), create=True).close()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN")
        other.execute("SELECT * FROM runs").fetchall()  # a lock under which WAL cannot be set
        assert "is locked by another program" in str(refused(path))
        release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
        release.start()
        store.open_store(str(path), busy_timeout_s=20).close()
        release.join()
    with closing(sqlite3.connect(path)) as another:
        assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",)
