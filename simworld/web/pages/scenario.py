"""Scenarios: what is played, and what each seat knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.prompting import prompt_facts
from simworld.core.errors import InputError
from simworld.core.scenario import Check, Scenario
from simworld.core.visibility import labels_seen_by, observe
from simworld.web.app_state import AppState
from simworld.web.page import Page
from simworld.web.page_request import PageNotFound, PageRequest
from simworld.web.titles import scenario_title
from store import Store

PAGE_SIZE = 100
MAX_RECENT = 20
FACT_TITLES = {
    "persona": "Is",
    "goal": "Wants",
    "knows": "Knows",
    "secret": "Keeps secret",
    "others": "Sees",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatBriefing:
    """What one seat knows before the first turn."""

    seat: str
    name: str
    facts: Mapping[str, str]  # what it is called → text; empty ones left out


def list_(state: AppState, store: Store, request: PageRequest) -> Page:
    """Scenarios by name."""
    page = request.integer("page", low=1, high=1_000_000, default=1)
    text = request.text("text")
    lines = store.scenario_lines(text, start=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE + 1)
    return Page(
        template="scenario_list.html",
        title="Scenarios",
        values={
            "rows": lines[:PAGE_SIZE],
            "text": text,
            "page": page,
            "more": len(lines) > PAGE_SIZE,
        },
    )


def show(state: AppState, store: Store, request: PageRequest) -> Page:
    """One scenario, seat by seat."""
    scenario = find_scenario(store, request.path_part("id"))
    return Page(
        template="scenario_show.html",
        title=scenario_title(scenario),
        values={
            "scenario": scenario,
            "roles": [seat_briefing(scenario, seat.name) for seat in scenario.seats],
            "relationships": [
                (a.name, b.name, scenario.relationship(a.name, b.name).value.replace("_", " "))
                for i, a in enumerate(scenario.seats)
                for b in scenario.seats[i + 1 :]
            ],
            "checks": [
                (check.name, check_in_words(check), check.ends) for check in scenario.checks
            ],
            "recent": store.episode_summaries(scenario=scenario.id, limit=MAX_RECENT)[::-1],
        },
    )


def find_scenario(store: Store, id_: str) -> Scenario:
    """A stored scenario. Raises PageNotFound."""
    try:
        return store.scenario(id_)
    except InputError as error:
        raise PageNotFound(error.problems) from None


def seat_briefing(scenario: Scenario, seat: str) -> SeatBriefing:
    """What a seat knows before the first turn, as its prompt says it."""
    facts = prompt_facts(observe(scenario, seat, (), 0, 0))
    return SeatBriefing(
        seat=seat,
        name=labels_seen_by(scenario, seat)[seat],
        facts={title: facts[name] for name, title in FACT_TITLES.items() if facts[name]},
    )


def check_in_words(check: Check) -> str:
    """A check in words."""
    text = {
        "regex": f"what matches {check.pattern}",
        "keyword": f"one of: {', '.join(check.words)}",
        "number": f"a number as in {check.pattern}",
    }[check.kind.value]
    if check.between is not None:
        text += f", between {check.between[0]:g} and {check.between[1]:g}"
    if check.absent:
        return f"{check.by} never says {text}" if check.by else f"nobody says {text}"
    return f"{check.by or 'somebody'} says {text}{'; the last one counts' if check.last else ''}"
