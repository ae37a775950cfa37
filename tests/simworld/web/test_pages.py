"""What pages answer: their content, their errors, and that nothing on them is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from simworld.web.links import link
from store import open_store
from tests.simworld.web.world import AGENTS, BROKEN, HOSTILE, MARKET

VOID = {"meta", "link", "input", "br", "img"}


class Reader(HTMLParser):
    """A page as a reader meets it: its text, its links, its elements; elements must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
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
        return " ".join("".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._said.append(data)


def read(client: TestClient, path: str, status: int = 200) -> Reader:
    response = client.get(path)
    assert response.status_code == status, response.text[:500]
    return Reader(response.text)


def every_page(client: TestClient) -> dict[str, Reader]:
    """All pages that links lead to, from the first one on."""
    found: dict[str, Reader] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in found or not path.startswith("/"):
            continue
        found[path] = read(client, path)
        waiting += [target.partition("#")[0] for target in found[path].links]
    return found


@pytest.fixture(scope="module")
def episodes(world: str) -> dict[str, str]:
    """Run → its first episode."""
    with open_store(world) as store:
        return {summary.run: summary.id for summary in reversed(store.summaries())}


def test_every_link_leads_to_a_page(client: TestClient) -> None:
    pages = every_page(client)
    assert len(pages) > 60
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path


def test_texts_stay_texts_wherever_they_come_from(client: TestClient) -> None:
    for path, page in every_page(client).items():
        assert page.tags.count("script") == 1, path  # our own file
        assert "img" not in page.tags, path
        assert not [name for name in page.attributes if name.startswith("on") or name == "style"], path
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.text), path
        assert "49" not in page.text.split(), path  # no template in a text was evaluated


def test_the_runs(client: TestClient) -> None:
    page = read(client, "/")
    assert "36 / 36" in page.text.replace("cup", "")
    assert "3 / 5 1 3" in page.text  # steered: done of planned, failed, judged
    assert link("/run/show", f"run/{BROKEN}") in page.links


def test_a_run(client: TestClient) -> None:
    page = read(client, "/run/show/steered")
    assert "3 of 5 planned episodes done , 1 failed , 3 judged" in page.text.replace("done,", "done ,").replace(
        "failed,", "failed ,"
    )
    assert "failed timeout 1" in page.text
    assert "No run" not in page.text


def test_a_scenario_as_each_seat_sees_it(client: TestClient) -> None:
    page = read(client, f"/scenario/show/{MARKET.id}")
    assert "Nadia seller Is 41 Wants Sell for 65. Keeps secret It is the last. Sees Tomas (known by name)" in page.text
    assert "Tomas buyer Wants Buy for 50. Knows It rains soon. Sees Nadia (known by name)" in page.text
    assert "somebody says a number as in (\\d+) euros, between 50 and 65; the last one counts" in page.text


def test_an_episode(client: TestClient, episodes: dict[str, str]) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}")
    assert "1 Nadia Brandt Good evening. 65 euros. 2 Tomas Okafor Too much; 60 euros." in page.text
    assert "3 Nadia Brandt only to Tomas Okafor Take it, then." in page.text
    assert "price yes 60 2" in page.text
    assert "seller got 4." in page.text
    assert "Failed: judge: refused: would not say" in page.text
    assert "Steering of seller" in page.text
    assert "tokens read" not in page.text


def test_what_made_each_line_is_shown_when_asked(client: TestClient, episodes: dict[str, str]) -> None:
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
    first = read(client, "/episode/list?run=cup&agent=ada")
    ids = re.compile(r"/episode/show/(\w+)")
    shown = [found[1] for target in first.links if (found := ids.fullmatch(target))]
    assert len(shown) == 24
    older = read(client, f"/episode/list?run=cup&agent=ada&before={shown[9]}")
    assert [found[1] for target in older.links if (found := ids.fullmatch(target))] == shown[10:]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nothing", 404, "There is no page at this address"),
        ("/run/show/none", 404, "no run 'none'"),
        ("/episode/show/zz", 404, "not an episode id: 'zz'"),
        ("/episode/show/00000000000000000000", 404, "no episode 00000000000000000000"),
        ("/scenario/show/s1-none", 404, "no scenario s1-none"),
        ("/agent/show/none", 404, "no agent none"),
        ("/episode/list?ending=lost", 400, "ending: there is no 'lost'; there are terminated, turn_limit, failed"),
        ("/episode/list?ending=faild", 400, "did you mean 'failed'?"),
        ("/?page=0", 400, "page: found '0', expected a whole number between 1 and 1000000"),
        ("/?page=²", 400, "page: found '²'"),
        (f"/?page={'9' * 400}", 400, "expected a whole number"),
        (f"/episode/list?run={'x' * 501}", 400, "run: found 501 characters, expected at most 500"),
        ("/episode/list?agent=%00%ed%a0%80", 200, "No episode matches."),
    ],
)
def test_what_cannot_be_shown_is_a_page_that_says_why(client: TestClient, path: str, status: int, said: str) -> None:
    assert said in read(client, path, status).text


def test_an_unknown_seat(client: TestClient, episodes: dict[str, str]) -> None:
    page = read(client, f"/episode/show/{episodes['steered']}?seat=biyer", 400)
    assert "no seat 'biyer' here; did you mean 'buyer'?" in page.text


def test_names_of_any_kind_have_pages(client: TestClient) -> None:
    assert f"run/{BROKEN}" in read(client, link("/run/show", f"run/{BROKEN}")).text
    assert BROKEN in read(client, link("/scenario/show", HOSTILE.id)).text
    assert f"agent{BROKEN}" in read(client, link("/agent/show", AGENTS[2].id)).text
    assert quote(BROKEN, safe="") in link("/run/show", BROKEN)
