"""What agents are, as their pages show it, and what scenarios are called."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from starlette.testclient import TestClient

from simworld.web.links import link
from simworld.web.titles import scenario_title, scenario_titles
from tests.factories.languages import ARABIC
from tests.factories.web_world import MARKET
from tests.simworld.web.test_pages import read


def test_variants_are_told_apart(client: TestClient) -> None:
    variants = [
        replace(MARKET, name=name, setting=name)
        for name in ("m.price-50.mood-calm", "m.price-70.mood-calm", "m")
    ]
    assert [scenario_title(one) for one in variants] == [
        "At the market (price 50, mood calm)",
        "At the market (price 70, mood calm)",
        "At the market",
    ]
    assert scenario_title(replace(variants[0], title="")) == "m.price-50.mood-calm"
    twins = [replace(MARKET, name="m", setting=setting) for setting in ("one", "two")]
    called = list(scenario_titles([*variants, replace(MARKET, name="other"), *twins]).values())
    assert len(set(called)) == len(called)
    assert "At the market, other" in called
    assert "(price 50)" in read(client, "/scenario/list").text


def test_an_agent(client: TestClient) -> None:
    spoken = read(client, link("/agent/show", f"a-{ARABIC.words}"))
    assert "Prompt chat" in spoken.text
    assert (
        f"System message {ARABIC.words} {{{{name}}}} Opening message {ARABIC.words}" in spoken.text
    )
    assert f"Model {ARABIC.words}" in spoken.text
    assert "Sampling Temperature 0.5" in spoken.text
    assert f"Steering Planner {ARABIC.words}" in spoken.text
    assert ARABIC.lines[0] in spoken.text
    script = read(client, link("/agent/show", agent_of(client, "ada")))
    assert "Lines of its script I am ada. Yes. Well." in script.text
    assert "None: no planner." in script.text
    assert re.search(r"cup fake \d of 3 [\d,]+ [\d,]+ to [\d,]+ 0\.\d{3}", script.text)


def agent_of(client: TestClient, name: str) -> str:
    """The id of an agent of the cup."""
    links = read(client, "/run/show/cup").links
    return unquote(
        next(
            path
            for path in links
            if path.startswith("/agent/show/") and f"Agent {name} ·" in read(client, path).text
        )
    ).removeprefix("/agent/show/")
