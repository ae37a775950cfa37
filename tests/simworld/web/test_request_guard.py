"""Who may ask, and what an answer allows a browser to do."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

import store
from simworld.core.protocols import Backend
from simworld.judging.judge_spec import JudgeSpec
from simworld.web.app import make_app
from store.connection import open_engine
from store.database_address import parse_address
from store.version import VERSION_TABLE
from tests.factories.tournaments import judge, play, tournament, write


@pytest.mark.parametrize("host", ["127.0.0.1:8137", "localhost", "LOCALHOST:1", "[::1]:8137"])
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8137", "", "a b"]
)
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/static/style.css"):
        response = client.get(path, headers={"host": host})
        assert (response.status_code, response.text) == (400, "Invalid host header")


def test_a_further_name_may_be_allowed(world: str) -> None:
    with TestClient(
        make_app(world, hosts=("lab.example",)), base_url="http://lab.example"
    ) as client:
        assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/static/style.css", "/static/none.css", "/episode/show/zz"]
)
def test_no_answer_may_run_send_or_frame_anything(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert {
        policy[name]
        for name in policy
        if name not in ("default-src", "base-uri", "frame-ancestors")
    } == {"'self'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_reading_is_answered(client: TestClient, method: str) -> None:
    response = client.request(method, "/episode/list")
    assert response.status_code == 405
    assert "can only be read" in response.text


def test_files_beside_the_static_ones_are_not_served(client: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
        assert client.get(path).status_code == 404


def test_a_fault_of_ours_is_a_page_and_tells_nothing(
    world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.Store, "filter_names", lambda self: 1 / 0)
    with TestClient(
        make_app(world), base_url="http://localhost", raise_server_exceptions=False
    ) as client:
        response = client.get("/episode/list")
    assert response.status_code == 500
    assert "An error in simworld" in response.text
    assert "ZeroDivisionError" not in response.text
    assert "content-security-policy" in response.headers


def test_the_database_may_come_go_and_change(world: str, tmp_path: Path) -> None:
    file = tmp_path / "later.db"
    made = parse_address(world).path
    assert made is not None
    with TestClient(make_app(str(file)), base_url="http://localhost") as client:

        def said(status: int) -> str:
            response = client.get("/")
            assert response.status_code == status, response.text
            return response.text

        assert "no database" in said(400)
        file.touch()
        assert "is empty: no simworld database yet" in said(503)
        file.write_text("no database at all, but some text that is long enough" * 20)
        assert "is not an SQLite database" in said(503)
        file.unlink()
        shutil.copy(made, file)
        assert "cup" in said(200)


def test_a_database_that_became_newer_says_so(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.web.app_state.CHECK_INTERVAL_S", 0.0)
    made = parse_address(world).path
    assert made is not None
    file = shutil.copy(made, tmp_path / "copy.db")
    with TestClient(make_app(str(file)), base_url="http://localhost") as client:
        assert client.get("/").status_code == 200
        engine = open_engine(parse_address(str(file)), create=False)
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
        response = client.get("/")
        assert response.status_code == 503
        assert "version 0999" in response.text
        assert "install a newer simworld" in response.text
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0002'"))
        assert "simworld db upgrade" in client.get("/").text
        engine.dispose()


def test_a_locked_database_says_so_soon(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.web.app_state.BUSY_TIMEOUT_S", 0.1)
    made = parse_address(world).path
    assert made is not None
    file = shutil.copy(made, tmp_path / "locked.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with TestClient(make_app(str(file)), base_url="http://localhost") as client:
            response = client.get("/")
            assert response.status_code == 503
            assert (
                "is locked by another program; end that program or try again later" in response.text
            )
            other.execute("COMMIT")
            other.close()
            assert client.get("/").status_code == 200


def test_a_tournament_can_be_watched_while_it_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.web.app_state.STALE_S", 0.0)
    write(tmp_path, families=2, agents=("ada", "ben"))
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with (
        store.open_store(url, create=True) as opened,
        TestClient(make_app(url), base_url="http://localhost") as client,
    ):
        assert "Nothing has been played yet" in client.get("/").text
        seen = []
        made = tournament(tmp_path, agents=("ada", "ben"))
        opened_judge = judge()

        def look(spec: JudgeSpec) -> AbstractContextManager[Backend]:
            seen.append(client.get("/tournament/standings").text)  # played, and not judged
            return opened_judge(spec)

        play(made, opened, look)
        seen.append(client.get("/tournament/standings").text)
    assert "Nobody has judged this run yet" in seen[0]
    assert "8 judged episodes of 2 families" in seen[1]


def test_the_pages_on_a_server(postgresql_url: str, tmp_path: Path) -> None:
    write(tmp_path, families=2, agents=("ada", "ben"))
    with store.open_store(postgresql_url, create=True) as opened:
        play(tournament(tmp_path, agents=("ada", "ben")), opened)
        episode = opened.episode_summaries()[0]
    paths = {
        "/": "8 / 8",
        "/run/show/cup": "8 of 8 planned episodes done",
        "/tournament/standings": "8 judged episodes",
        "/tournament/compare?run=cup&first=ada&second=ben": "Over all scenarios",
        "/scenario/list?text=KITCHEN": "kitchen-0",
        f"/scenario/show/{episode.scenario_id}": "Ann",
        "/episode/list?run=cup&agent=ada": "kitchen-1",
        f"/episode/show/{episode.id[:7]}": "Transcript",
        "/episode/search?text=%22I+am+ada%22": "<mark>I am ada</mark>",
        "/db/query?sql=SELECT+count(*)+FROM+episodes": "8",
        "/db/query?ready=endings": "turn_limit",
        "/db/info": "episode_texts",
    }
    with TestClient(make_app(postgresql_url), base_url="http://localhost") as client:
        for path, said in paths.items():
            response = client.get(path)
            assert (response.status_code, said in response.text) == (200, True), path
        refused = client.get("/db/query", params={"sql": "DELETE FROM runs"})
        assert (refused.status_code, "syntax error" in refused.text) == (400, True)
