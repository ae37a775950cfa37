"""What pages answer: their content, their errors, and that nothing on them is more than text."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from starlette.testclient import TestClient

from simworld.core.episode import Ending
from simworld.web.app import make_app
from simworld.web.links import link
from store import open_store
from tests.factories.hostile_texts import HOSTILE
from tests.factories.languages import ARABIC, LANGUAGES, Language
from tests.factories.web_episodes import AGENTS, BROKEN
from tests.factories.web_world import MARKET

VOID = {"meta", "link", "input", "br", "img"}


class Reader(HTMLParser):
    """A page as a reader meets it: its text, its links, its elements; elements must be closed in
    order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        # texts that are in no element whose direction is that of its text
        self.undirected: list[str] = []
        self._directions: list[str | None] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self._said: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        if tag not in VOID:
            self._open.append(tag)
            self._directions.append(dict(attrs).get("dir"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._directions.pop()

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        if "auto" not in self._directions and "title" not in self._open:
            self.undirected.append(data)


def read(client: TestClient, path: str, status: int = 200) -> Reader:
    response = client.get(path)
    assert response.status_code == status, response.text[:500]
    return Reader(response.text)


@pytest.fixture(scope="module")
def pages(world: str) -> dict[str, Reader]:
    """All pages that links lead to, from the first one on."""
    found: dict[str, Reader] = {}
    waiting = ["/"]
    with TestClient(make_app(world), base_url="http://127.0.0.1:8137") as client:
        while waiting:
            path = waiting.pop()
            if path in found or not path.startswith("/"):
                continue
            assert len(found) < 1000
            found[path] = read(client, path)
            waiting += [target.partition("#")[0] for target in found[path].links]
    return found


def shown_episodes(page: Reader) -> list[str]:
    """The ids of episodes that a page links to, in order."""
    ids = (re.fullmatch(r"/episode/show/(\w+)", target) for target in page.links)
    return [found[1] for found in ids if found]


@pytest.fixture(scope="module")
def episodes(world: str) -> dict[str, str]:
    """Run → its first episode."""
    with open_store(world) as store:
        return {summary.run: summary.id for summary in reversed(store.episode_summaries())}


def test_every_link_leads_to_a_page(pages: dict[str, Reader]) -> None:
    assert len(pages) > 60
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path


def test_texts_stay_texts_wherever_they_come_from(pages: dict[str, Reader]) -> None:
    for path, page in pages.items():
        assert page.tags.count("script") == 1, path  # our own file
        assert "img" not in page.tags, path
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"], (
            path
        )
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.text), path
        assert "987000" not in page.text, path  # no template in a text was evaluated


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.run)
def test_every_text_that_people_or_models_wrote_has_its_own_direction(
    pages: dict[str, Reader], language: Language
) -> None:
    there = {path: page for path, page in pages.items() if re.search(language.letters, page.text)}
    kinds = {path.split("?")[0].rsplit("/", 1)[0] for path in there}
    assert {
        "/run/show",
        "/episode/show",
        "/scenario/show",
        "/agent/show",
        "/train/show",
        "/tournament",
    } <= kinds
    for path, page in there.items():
        assert [text for text in page.undirected if re.search(language.letters, text)] == [], path


def test_what_is_found_and_asked_has_its_own_direction(client: TestClient) -> None:
    for path in (
        "/episode/search?text=مساء",
        "/db/query?sql=SELECT+text+FROM+acts+WHERE+seat+LIKE+'السوق%25'",
    ):
        page = read(client, path)
        assert ARABIC.lines[0] in page.text.replace(" ، ", "، ")
        assert [text for text in page.undirected if re.search(ARABIC.letters, text)] == [], path


def test_the_runs(client: TestClient) -> None:
    page = read(client, "/")
    # done of planned, failed, judged: 3 scenarios with 9 casts, and at a table of three 3 + 3 · 6
    # casts
    assert "48 / 48 0 48" in page.text
    assert "3 / 5 1 3" in page.text
    assert link("/run/show", f"run/{BROKEN}") in page.links


def test_a_run(client: TestClient) -> None:
    page = read(client, "/run/show/steered")
    assert "3 of 5 planned episodes done, 1 failed , 3 judged." in page.text
    assert "failed timeout 1" in page.text
    assert "No run" not in page.text


def test_a_scenario_as_each_seat_sees_it(client: TestClient) -> None:
    page = read(client, f"/scenario/show/{MARKET.id}")
    assert (
        "Nadia seller Is 41 Wants Sell for 65. Keeps secret It is the last. Sees Tomas (known by"
        " name)" in page.text
    )
    assert (
        "Tomas buyer Wants Buy for 50. Knows It rains soon. Sees Nadia (known by name)" in page.text
    )
    assert (
        "somebody says a number as in (\\d+) euros, between 50 and 65; the last one counts"
        in page.text
    )


def test_an_episode(client: TestClient, episodes: dict[str, str]) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}")
    lines = re.sub(r" nearest way: .*? -?[\d.]+(?= \d)", "", page.text)
    assert "1 Nadia Brandt Good evening. 65 euros. 2 Tomas Okafor Too much; 60 euros." in lines
    assert "3 Nadia Brandt only to Tomas Okafor Take it, then." in page.text
    assert "price yes 60 2" in page.text
    assert "seller got 4." in page.text
    assert "Failed: judge: refused: would not say" in page.text
    assert "Steering of seller" in page.text
    assert "tokens read" not in page.text


def test_a_steered_line_says_which_ways_it_is_nearest_to(
    client: TestClient, world: str, episodes: dict[str, str]
) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}")
    with open_store(world) as store:
        act = store.episode(episodes["steered"]).episode.acts[0]
    assert act.plan is not None
    assert act.plan.action is not None
    thanks, other = (act.plan.action[[0, 15]] / np.linalg.norm(act.plan.action)).tolist()
    # the planner is in no folder: the agent's stored spec has the ways
    first = max((thanks, "thank: “Thank you.”"), (other, BROKEN))
    second = min((thanks, "thank: “Thank you.”"), (other, BROKEN))
    told = [f"{words} {cosine:.2f}".replace("-", "−") for cosine, words in (first, second)]
    assert f"nearest way: {told[0]} 2 Tomas" in page.text.replace("-", "−")
    table = f"{first[0]:.2f} {first[1]} {second[0]:.2f} {second[1]}"
    assert "Nearest ways" in page.text
    assert table.replace("-", "−") in page.text.replace("-", "−")


def test_a_failed_episode_says_whose_failure_it_was_and_how_to_try_again(
    client: TestClient, world: str
) -> None:
    with open_store(world) as store:
        (failed,) = store.episode_summaries(run="steered", ending=Ending.failed)
    page = read(client, f"/episode/show/{failed.id}")
    # The seller spoke, so that it was the buyer's turn
    assert (
        "This episode failed after 1 turn Seat buyer , Tomas Okafor Agent plain Boundary model Kind"
        " timeout Message no answer in 60 s Try again the command that plays run steered , once"
        " more with --retry-failed" in page.text
    )
    assert "judge run" not in page.text
    for path in ("/episode/list?run=steered&ending=failed", "/agent/show/a-plain"):
        assert "failed timeout of buyer , plain" in read(client, path).text
    run = read(client, "/run/show/steered")
    assert f"{failed.id[:10]} buyer plain model: timeout : no answer in 60 s market" in run.text


def test_what_made_each_line_is_shown_when_asked(
    client: TestClient, episodes: dict[str, str]
) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}?made=1")
    assert "100 tokens read, 7 written in 0.25 s, log-probability −12.50 nats" in page.text


def test_an_episode_as_one_seat_saw_it(client: TestClient, episodes: dict[str, str]) -> None:
    buyer = read(client, f"/episode/show/{episodes['steered']}?seat=buyer")
    assert "What Tomas knew before the first turn" in buyer.text
    assert "It rains soon." in buyer.text
    assert "It is the last." not in buyer.text
    assert "Take it, then." in buyer.text  # whispered to the buyer


def test_an_id_may_be_cut(client: TestClient, episodes: dict[str, str]) -> None:
    assert "At the market" in read(client, f"/episode/show/{episodes['steered'][:8].upper()}").text


def test_filters_and_pages_of_episodes(client: TestClient) -> None:
    page = read(client, "/episode/list?run=steered&ending=failed")
    assert page.text.count("turn limit") == 1  # the choice in the form alone
    assert "timeout" in page.text
    assert "No episode matches." in read(client, "/episode/list?agent=nobody").text
    shown = shown_episodes(read(client, "/episode/list?run=cup&agent=ada"))
    assert len(shown) == 28
    older = shown_episodes(read(client, f"/episode/list?run=cup&agent=ada&before={shown[9]}"))
    assert older == shown[10:]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", 404, "There is no page at this address"),
        ("/run/show/none", 404, "no run 'none'"),
        ("/episode/show/zz", 404, "not an episode id: 'zz'"),
        ("/episode/show/00000000000000000000", 404, "no episode 00000000000000000000"),
        ("/scenario/show/s1-none", 404, "no scenario s1-none"),
        ("/agent/show/none", 404, "no agent none"),
        (
            "/episode/list?ending=lost",
            400,
            "ending: there is no 'lost'; there are terminated, turn_limit, failed",
        ),
        ("/episode/list?ending=faild", 400, "did you mean 'failed'?"),
        ("/?page=0", 400, "page: found '0', expected a whole number between 1 and 1000000"),
        ("/?page=²", 400, "page: found '²'"),
        (f"/?page={'9' * 400}", 400, "expected a whole number"),
        (f"/episode/list?run={'x' * 501}", 400, "run: found 501 characters, expected at most 500"),
        ("/episode/list?agent=%00%ed%a0%80", 200, "No episode matches."),
    ],
)
def test_what_cannot_be_shown_is_a_page_that_says_why(
    client: TestClient, path: str, status: int, said: str
) -> None:
    assert said in read(client, path, status).text


def test_an_unknown_seat(client: TestClient, episodes: dict[str, str]) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}?seat=biyer", 400)
    assert "no seat 'biyer' here; did you mean 'buyer'?" in page.text


def test_names_of_any_kind_have_pages(client: TestClient) -> None:
    assert f"run/{BROKEN}" in read(client, link("/run/show", f"run/{BROKEN}")).text
    assert BROKEN in read(client, link("/scenario/show", HOSTILE.id)).text
    assert f"agent{BROKEN}" in read(client, link("/agent/show", AGENTS[2].id)).text
    assert quote(BROKEN, safe="") in link("/run/show", BROKEN)


def test_standings(client: TestClient) -> None:
    page = read(client, "/tournament/standings?run=cup&measure=goal")
    assert "Standings of cup" in page.text
    assert "4 families: fewer than 20" in page.text
    assert page.tags.count("svg") > 20  # intervals of three agents on every measure
    assert "Nobody has judged this run yet" not in page.text
    assert "Tables of three and more" in page.text


def test_standings_of_the_latest_run_come_first(client: TestClient, world: str) -> None:
    with open_store(world) as store:
        latest = store.filter_names().runs[0]
    assert f"Standings of {latest}" in read(client, "/tournament/standings").text


def test_two_agents_side_by_side(client: TestClient) -> None:
    page = read(client, "/tournament/compare?run=cup&first=ada&second=ben")
    assert "ada beside ben" in page.text
    assert "Over all scenarios ada less ben" in page.text
    # both say "I am" and "Yes.", each its name
    assert "What ada says beside ben Words of ada beside those of ben" in page.text
    assert "Words z ada ben ada +4.9 39 0 ben −4.9 0 39" in page.text
    assert "I am ada." in page.text
    assert "I am ben." in page.text
    assert "shown below" in page.text
    other = next(target for target in page.links if "pair=2" in target)
    assert "repeat 0" in read(client, other.partition("#")[0]).text


def test_an_agent_is_not_compared_with_itself(client: TestClient) -> None:
    page = read(client, "/tournament/compare?run=cup&first=ada&second=ada", 400)
    assert "'ada' is compared with itself; choose two agents" in page.text


def test_a_training(client: TestClient) -> None:
    assert "haggler td3bc finished" in read(client, "/train/list").text
    page = read(client, "/train/show/haggler")
    assert "What it does What this planner does hangs on the dialogue." in page.text
    assert "partner asks 30 100 % · otherwise 10 · 100 % All 40 75 % 25 %" in page.text
    assert f"A thank: “Thank you.” B {BROKEN}" in page.text
    assert "Loss of the critics" in page.text
    assert "Values less returns" in page.text
    assert "best step 700" in page.text
    assert '"rows": 120' in page.text
    assert "no training 'none'" in read(client, "/train/show/none", 404).text


def test_a_training_without_measurements(client: TestClient) -> None:
    assert "failed" in read(client, link("/train/show", f"training/{BROKEN}")).text


def test_search_by_words(client: TestClient) -> None:
    page = read(client, "/episode/search?text=%22good+evening%22+euros")
    assert shown_episodes(page)
    assert "Good evening . 65 euros ." in page.text
    assert page.tags.count("mark") >= 3
    assert "No episode found." in read(client, "/episode/search?text=zebra").text
    assert "No episode found." in read(client, "/episode/search?text=euros&run=cup").text
    assert "nothing to look for" in read(client, "/episode/search?text=%22%22+-", 400).text
    for odd in (
        "AND",
        "NEAR(a b)",
        "text:a",
        "a*",
        '"',
        "'; DROP TABLE episodes; --",
        "(",
        "^a",
        "{a b}",
        "a OR b",
    ):
        (
            client.get("/episode/search", params={"text": odd}).raise_for_status()
            if odd
            not in (
                '"',
                "(",
            )
            else None
        )


def test_a_query(client: TestClient) -> None:
    page = read(
        client, "/db/query?sql=SELECT+run,+count(*)+AS+n+FROM+episodes+GROUP+BY+run+ORDER+BY+run"
    )
    assert "Answer 5 rows" in page.text
    assert "run n cup 48" in page.text
    assert "episode_scores has a row for each" in page.text
    assert (
        "only the first 100 rows" in read(client, "/db/query?sql=SELECT+*+FROM+acts&limit=100").text
    )


def test_ready_queries(client: TestClient) -> None:
    page = read(client, "/db/query?ready=endings")
    assert "How do episodes end, agent by agent?" in page.text
    assert "Answer" in page.text
    some = read(client, "/db/query?ready=endings&set.run=cup")
    assert "ada turn_limit" in some.text
    assert "plain turn_limit" not in some.text
    none = read(client, "/db/query?ready=transcript&set.episode=ffff")
    assert "No rows: nothing stored has episode=ffff." in none.text
    assert "Give :episode a value, and run it." in read(client, "/db/query?ready=transcript").text
    assert (
        "there is no 'ending'; did you mean 'endings'?"
        in read(client, "/db/query?ready=ending", 400).text
    )


def test_parameters_of_a_query(client: TestClient) -> None:
    page = read(client, "/db/query?sql=SELECT+:a+AS+a,+:b+AS+b&set.a=one%27two")
    assert "a b one'two –" in page.text


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM episodes", "only reading is allowed here"),
        ("SELECT 1; DROP TABLE episodes", "one statement"),
        ("SELECT * FROM epsodes", "did you mean 'episodes'?"),
        ("ATTACH 'x.db' AS x", "only reading is allowed here"),
        (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
            "was stopped after 0.2",
        ),
    ],
)
def test_a_query_that_cannot_be_answered(
    client: TestClient, sql: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.web.pages.db.TIMEOUT_S", 0.2)
    response = client.get("/db/query", params={"sql": sql})
    assert response.status_code == 400
    assert said in Reader(response.text).text


def test_a_query_from_another_site_is_not_run(client: TestClient) -> None:
    # a product that nothing else on the page holds: not a date, a port or a folder's number
    path = "/db/query?sql=SELECT+71993+*+1009+AS+n"
    response = client.get(path, headers={"sec-fetch-site": "cross-site"})
    assert "it was not run" in response.text
    assert "72640937" not in response.text
    for site in ("same-origin", "none"):
        assert "72640937" in client.get(path, headers={"sec-fetch-site": site}).text


def test_a_huge_value_is_cut(client: TestClient) -> None:
    response = client.get(
        "/db/query", params={"sql": "SELECT hex(zeroblob(1000000)) AS wide, x'00ff' AS blob"}
    )
    assert len(response.content) < 60_000
    assert "1,999,500 more characters" in response.text
    assert "2 bytes" in response.text


def test_the_database(client: TestClient) -> None:
    page = read(client, "/db/info")
    assert re.search(r"episodes 5[0-9] ", page.text)
    assert "hash of the work item and the attempt" in page.text


@pytest.fixture
def copied(world: str, tmp_path: Path) -> Iterator[tuple[TestClient, sqlite3.Connection]]:
    """The world to be changed, and a client that asks for its pages."""
    path = tmp_path / "world.db"
    path.write_bytes(Path(world.removeprefix("sqlite:///")).read_bytes())
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        TestClient(
            make_app(str(path)), base_url="http://127.0.0.1:8137", raise_server_exceptions=False
        ) as client,
    ):
        yield client, connection


def test_pages_read_no_row_that_is_too_large(copied: tuple[TestClient, sqlite3.Connection]) -> None:
    client, connection = copied
    (id_,) = connection.execute("SELECT min(id) FROM episodes WHERE run = 'steered'").fetchone()
    connection.execute(
        "UPDATE acts SET text = ? WHERE episode_id = ? AND turn = 0", ("word " * 2_000_000, id_)
    )
    connection.execute(
        "UPDATE agents SET spec = json_object('model', ?) WHERE name = 'plain'", ("m" * 9_000_000,)
    )
    for address in (f"/episode/show/{id_}", "/agent/show/a-plain"):
        response = client.get(address)
        assert response.status_code == 503
        assert "holds a row that is too large to be read here" in response.text
        assert len(response.content) < 100_000
    assert client.get("/episode/list").status_code == 200


def test_an_episode_of_very_many_acts_is_no_page(
    copied: tuple[TestClient, sqlite3.Connection],
) -> None:
    client, connection = copied
    (id_,) = connection.execute("SELECT min(id) FROM episodes WHERE run = 'steered'").fetchone()
    connection.execute(
        "WITH RECURSIVE c(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM c WHERE n < 11000) "
        "INSERT INTO acts (episode_id, turn, position, seat, kind, text, recipients) "
        "SELECT ?, n, 0, 'seller', 'speak', 'word', '[]' FROM c",
        (id_,),
    )
    response = client.get(f"/episode/show/{id_}")
    assert response.status_code == 400
    assert "more than a page can show" in response.text
    assert f"simworld episode show {id_}" in response.text


def test_an_answer_of_sql_is_bounded_by_bytes(client: TestClient) -> None:
    numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
    found = client.get(
        "/db/query",
        params={"sql": numbers + "SELECT hex(zeroblob(1000000)) FROM c", "limit": "2000"},
    )
    assert found.status_code == 200
    assert "only the first 8 rows: more would exceed 16 MB" in found.text
    found = client.get("/db/query", params={"sql": "SELECT hex(zeroblob(20000000))"})
    assert found.status_code == 400
    assert "a row of 38 MB is more than the 16 MB that are shown here" in found.text
