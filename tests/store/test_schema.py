"""The schema: migrations make exactly the tables of the code, and databases of older versions can
be upgraded and used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, select, text

import store
from simworld.core.errors import StoreMismatch
from store.codebook import VIEWS, describe_database, list_columns, table_meanings
from store.connection import open_engine
from store.database_address import parse_address
from store.migrations.migrate import config
from store.tables import Base
from store.text_search import FTS_TABLE
from store.version import HEAD, VERSION_TABLE, VERSIONS
from tests.factories.stored import add, begin, played

# one file per older version, written by that version
OLD = sorted((Path(__file__).parent / "old").glob("*.db"))


def test_the_migrations_make_the_tables_of_the_code(url: str) -> None:
    engine = open_engine(parse_address(url), create=True)
    with engine.connect() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, parents: (
                not str(name).startswith((FTS_TABLE, "ix_episode_texts_words"))
            ),
        }
        found = compare_metadata(
            MigrationContext.configure(connection, opts=options), Base.metadata
        )
    engine.dispose()
    assert found == []


def test_the_known_versions_are_the_migrations() -> None:
    script = ScriptDirectory.from_config(config())
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == VERSIONS
    assert script.get_current_head() == HEAD


def test_the_codebook_explains_every_column_of_tables_and_views(url: str) -> None:
    engine = open_engine(parse_address(url), create=True)
    with engine.connect() as connection:
        inspector = inspect(connection)
        names = {*inspector.get_table_names(), *inspector.get_view_names()} - {VERSION_TABLE}
        # SQLite's index of words: no table of ours
        names = {name for name in names if not name.startswith(FTS_TABLE)}
        there = {(name, column["name"]) for name in names for column in inspector.get_columns(name)}
    engine.dispose()
    lines = list_columns()
    assert {(line.table, line.name) for line in lines} == there
    assert all(line.comment and line.type for line in lines)
    assert set(VIEWS) <= names
    assert table_meanings().keys() == names
    assert all(table_meanings().values())


def test_every_column_of_a_server_carries_its_comment(postgresql_url: str) -> None:
    engine = open_engine(parse_address(postgresql_url), create=True)
    with engine.connect() as connection:
        (said,) = [
            c["comment"] for c in inspect(connection).get_columns("acts") if c["name"] == "logprob"
        ]
    engine.dispose()
    assert said == "log-probability of the reply under the model, nats; null where unknown"


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_database_of_an_older_version_asks_for_the_upgrade(path: Path, tmp_path: Path) -> None:
    copy = shutil.copy(path, tmp_path / path.name)
    said = rf"of version {path.stem}, this simworld needs {HEAD}: simworld db upgrade --db "
    for open_it in (store.open_store, describe_database):
        with pytest.raises(StoreMismatch, match=said):
            open_it(str(copy))


def test_every_older_version_has_a_file() -> None:
    assert [path.stem for path in OLD] == list(VERSIONS[:-1])


def test_a_database_of_a_newer_version_is_refused_with_both_versions(url: str) -> None:
    engine = open_engine(parse_address(url), create=True)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    engine.dispose()
    for open_it in (store.open_store, store.upgrade_store, describe_database):
        with pytest.raises(StoreMismatch, match=rf"version 0999.*versions up to {HEAD}"):
            open_it(url)


def test_an_upgrade_of_the_newest_version_changes_nothing(url: str) -> None:
    store.open_store(url, create=True).close()
    assert store.upgrade_store(url) == (HEAD, HEAD)


def test_an_empty_database_can_be_upgraded(postgresql_url: str) -> None:
    assert store.upgrade_store(postgresql_url) == ("", HEAD)
    store.open_store(postgresql_url).close()


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_database_of_each_older_version_is_upgraded_and_used(path: Path, tmp_path: Path) -> None:
    """The files hold one episode of two acts, the first with vectors, and a judgement of both
    seats."""
    copy = shutil.copy(path, tmp_path / path.name)
    assert store.upgrade_store(str(copy)) == (path.stem, HEAD)
    with store.open_store(str(copy)) as opened:
        (kept,) = opened.episodes()
        first, second = kept.episode.acts
        assert (first.action.text, second.action.text) == (
            "Good evening.",
            "Good evening! 65 euros?",
        )
        assert first.plan is not None
        assert first.plan.action is not None
        assert (first.plan.state.tolist(), first.plan.action.tolist()) == ([0, 1, 2, 3], [1, -1])
        (judgement,) = opened.judgements(kept.id)
        assert judgement.rescaled == {("seller", "goal"): 0.7, ("buyer", "goal"): 0.25}
        check_cells(opened, path.stem)
        assert [hit.episode_id for hit in opened.search_text(["good evening", "euros"])] == [
            kept.id
        ]
        (trace,) = opened.traces(store.TraceQuery())
        assert (trace.seat, trace.scores[0].rescaled) == ("seller", {"goal": 0.7})
        (work, *_) = begin(opened, run="after the upgrade")
        add(opened, work, played(work, "x"))
        assert len(list(opened.episodes())) == 2
        assert opened.search_text(["x"])[0].text == "x"


def check_cells(opened: store.Store, version: str) -> None:
    """What the upgrade has made of the one episode; a judge with a rubric is only in the files from
    version 0003 on."""
    (kept,) = opened.episodes()
    (cells,) = opened.cells("first", ["j1"], {kept.summary.scenario_id})
    assert cells.blocks == (("tickets", kept.summary.scenario_id, 0),)
    assert [[cells.agent_names[agent] for agent in cast] for cast in cells.agent_index] == [
        ["smol", "rival"]
    ]
    if version >= "0003":
        assert cells.scores["j1"].tolist() == [
            [[0.7, 0.7], [0.25, 0.25]]
        ]  # overall and goal of the seller, of the buyer
    else:
        assert cells.scores == {}


def test_a_server_of_version_0003_is_upgraded_and_its_cells_are_made(postgresql_url: str) -> None:
    """The rows of that version's file, on a server."""
    old, new = (
        create_engine(f"sqlite:///{OLD[2]}"),
        create_engine(parse_address(postgresql_url).url),
    )
    with old.connect() as source, new.begin() as target:
        command.upgrade(config(target), OLD[2].stem)
        made = MetaData()
        made.reflect(target)
        for into in made.sorted_tables:
            if into.name != VERSION_TABLE and (
                rows := source.execute(select(into)).mappings().all()
            ):
                target.execute(into.insert(), [dict(row) for row in rows])
    for engine in (old, new):
        engine.dispose()
    assert store.upgrade_store(postgresql_url) == (OLD[2].stem, HEAD)
    with store.open_store(postgresql_url) as opened:
        check_cells(opened, OLD[2].stem)


def test_a_server_of_the_first_version_is_upgraded(postgresql_url: str) -> None:
    """The schema of version 0001, made by its own migration, with a row in it."""
    engine = create_engine(parse_address(postgresql_url).url)
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
        connection.execute(text("INSERT INTO judges (id, name, spec) VALUES ('j1', 'old', '{}')"))
    engine.dispose()
    with pytest.raises(StoreMismatch, match="of version 0001"):
        store.open_store(postgresql_url)
    assert store.upgrade_store(postgresql_url) == ("0001", HEAD)
    with store.open_store(postgresql_url) as opened:
        assert [judge.name for judge in opened.judges()] == ["old"]
        assert opened.training_runs() == []


def test_the_views_can_be_read_with_plain_sql(made_url: str) -> None:
    with store.open_store(made_url) as opened:
        (work, *_) = begin(opened)
        add(opened, work, played(work, "Good evening.", "Good evening!"))
    sql = "SELECT seat, persona, agent_name, text FROM transcripts ORDER BY turn"
    with store.query(made_url, sql) as answer:
        assert answer.columns == ("seat", "persona", "agent_name", "text")
        assert list(answer) == [
            ("seller", "Nadia Brandt", "smol", "Good evening."),
            ("buyer", "Tomás Okafor 🎻", "rival", "Good evening!"),
        ]


def test_a_database_is_described(made_url: str) -> None:
    with store.open_store(made_url) as opened:
        (work, *_) = begin(opened)
        add(opened, work, played(work, "Good evening.", "Good evening!"))
    found = describe_database(made_url)
    assert (found.version, dict(found.tables)["acts"], dict(found.tables)["work_items"]) == (
        HEAD,
        2,
        3,
    )
    assert 50_000 < found.bytes < 100_000_000
