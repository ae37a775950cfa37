"""Standings and comparisons as they are drawn: on which scale, with which ends, and of whom
first."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from simworld.core.episode import Act, Action, ActionKind
from simworld.results.standings import MeasureStandings, Standing
from simworld.stats.intervals import Estimate
from simworld.stats.ratings import Rating
from simworld.web.app import make_app
from simworld.web.numbers import format_rating_interval
from simworld.web.standings_figures import draw_measure
from store import AgentRecord, open_store
from tests.factories.tournaments import tournament, write
from tests.factories.web_episodes import add, begin
from tests.simworld.web.test_pages import read


def test_compare_opens_on_the_agents_that_share_most(world: str, tmp_path: Path) -> None:
    write(tmp_path, families=2, agents=("ada", "ben", "cyn"))
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with open_store(url, create=True) as store:
        # ada and ben sit beside cyn alone, and never in one seat; ben and cyn have both sat beside
        # everybody
        made = tournament(tmp_path, agents=("ada", "ben", "cyn"))
        keep = {("ben", "cyn"), ("cyn", "cyn"), ("ben", "ben"), ("cyn", "ben"), ("ada", "cyn")}
        agents = {
            name: AgentRecord(id=f"{name}@1", name=name, spec={}) for name in ("ada", "ben", "cyn")
        }
        for number, scenario in enumerate(made.scenarios):
            casts = keep if number else {("ada", "cyn")}
            for cast in sorted(casts):
                (item,) = begin(
                    store,
                    "cup",
                    scenario,
                    [agents[name].id for name in cast],
                    1,
                    tuple(agents.values()),
                )
                add(
                    store,
                    item,
                    scenario,
                    [
                        Act(
                            seat="cook",
                            action=Action(kind=ActionKind.speak, text=f"I am {cast[0]}."),
                        )
                    ],
                )
    with TestClient(make_app(url), base_url="http://127.0.0.1:8137") as client:
        page = read(client, "/tournament/compare")
        assert "ben beside cyn" in page.text
        assert "I am ben." in page.text  # in the scenario in which they have met
        assert "They never sat" not in page.text
        assert "cyn beside ben" in read(client, "/tournament/compare?first=cyn").text
        assert "ada beside ben" in read(client, "/tournament/compare?first=ada&second=ben").text


def test_scores_are_drawn_on_their_own_scale_whatever_they_are() -> None:
    def standing(agent: str, mean: float) -> Standing:
        score = Estimate(mean=mean, low=mean - 0.0001, high=mean + 0.0001, n=9, families=3)
        return Standing(agent=agent, score=score, rating=None)

    near = [standing("ada", 0.4860), standing("ben", 0.4853)]
    table = MeasureStandings(
        measure="goal",
        standings=tuple(near),
        win_records={},
        games=0,
        ties=0,
        tie_threshold=0.0,
        groups=(),
        anchor=None,
    )
    made = draw_measure(table, (0.0, 1.0))
    places = [float(re.search(r'cx="([\d.]+)"', line.score)[1]) for line in made.lines]  # type: ignore[index]
    # 204 units from 0 to 1, beginning at 8
    assert places == pytest.approx([8 + 204 * 0.4860, 8 + 204 * 0.4853], abs=0.01)
    assert [">0.0<" in made.score_axis, ">1.0<" in made.score_axis] == [True, True]


def test_an_interval_without_end_is_an_arrow() -> None:
    rating = Rating(agent="ada", points=1600.0, low=784.0, high=math.inf, games=4, wins=4, ties=0)
    table = MeasureStandings(
        measure="goal",
        standings=(Standing(agent="ada", score=None, rating=rating),),
        win_records={},
        games=4,
        ties=0,
        tie_threshold=0.0,
        groups=(),
        anchor="ben",
    )
    (line,) = draw_measure(table, (0.0, 1.0)).lines
    assert (line.rating.count("arrow"), line.rating.count("hollow")) == (1, 1)
    assert (format_rating_interval(rating), format_rating_interval(None)) == ("784 or more", "none")
    assert format_rating_interval(replace(rating, low=-math.inf)) == "no bounds"
    assert format_rating_interval(replace(rating, low=-math.inf, high=1216.0)) == "1,216 or less"
    assert "arrow" not in draw_measure(replace(table, standings=()), (0.0, 1.0)).rating_axis
