"""Agents: who plays, by the content of its spec: its model, its prompt, how it is steered, how it
stands, and what it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.steering.named_ways import ways_from_spec
from simworld.core.episode import ActionKind
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.results.standings import Standing
from simworld.web.app_state import AppState
from simworld.web.page import Page
from simworld.web.page_request import PageNotFound, PageRequest
from simworld.web.run_and_judge import choose_run_and_judge, results_of
from store import EpisodeSummary, Store

MAX_RECENT = 20
MAX_RUNS = 3  # the latest in which it played, whose standings are shown
MAX_EPISODES = 3  # episodes of which lines are shown
LINES_PER_EPISODE = 2  # of each of them
PROMPT_TITLES = {
    "system": "System message",
    "instructions": "Instructions",
    "opening": "Opening message",
}
FACT_TITLES = {
    "kind": "Kind",
    "model": "Model",
    "model_id": "Local model, by content",
    "dtype": "Number format",
    "reasks": "Re-asked at most",
    "max_similarity": "Repeat, word pairs",
    "record_states": "States recorded",
    "after": "After the last line",
}
LISTED_FIELDS = {*FACT_TITLES, "name", "prompt", "sampling", "steering", "lines"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStanding:
    """How an agent stands in a run, by its first judge."""

    run: str
    judge: str
    rank: int  # from 1
    out_of: int
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleLine:
    """A line that an agent said."""

    episode: str
    number: int  # of the act
    text: str
    scenario: str


def show(state: AppState, store: Store, request: PageRequest) -> Page:
    """One agent: what it is, how it stands, and what it said last."""
    try:
        agent = store.agent(request.path_part("id"))
    except InputError as error:
        raise PageNotFound(error.problems) from None
    spec: Mapping[str, Any] = agent.spec
    recent = store.episode_summaries(agent=agent.id, limit=MAX_RECENT)[::-1]
    steering = _mapping(spec.get("steering"))
    trainings = state.cached("trainings", store.training_runs) if steering else []
    planner = steering.get("planner")
    trained_by = [run.name for run in trainings if planner and run.checkpoint_id == planner]
    return Page(
        template="agent_show.html",
        title=f"Agent {agent.name}",
        values={
            "agent": agent,
            "facts": [
                (title, spec[name])
                for name, title in FACT_TITLES.items()
                if spec.get(name) not in (None, "")
            ],
            "sampling": _mapping(spec.get("sampling")),
            "steering": {
                name: value
                for name, value in steering.items()
                if name not in ("planner", "ways") and value is not None
            },
            "planner": planner,
            "ways": [way.words for way in ways_from_spec(spec)],
            "training": next(iter(trained_by), None),
            "style": _mapping(spec.get("prompt")).get("style"),
            "prompt": _prompt_texts(spec.get("prompt")),
            "script": spec["lines"] if isinstance(spec.get("lines"), list) else [],
            "others": {name: value for name, value in spec.items() if name not in LISTED_FIELDS},
            "spec": json.dumps(_without_way_actions(spec), indent=1, ensure_ascii=False),
            "standings": _standings_in_runs(state, store, agent.id, recent),
            "last_lines": _last_lines(store, agent.id, recent),
            "recent": recent,
        },
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _without_way_actions(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as it made the agent; ways are told in words beside it."""
    steering = {
        name: value for name, value in _mapping(spec.get("steering")).items() if name != "ways"
    }
    return {**spec, "steering": steering} if steering else dict(spec)


def _prompt_texts(prompt: Any) -> list[tuple[str, str]]:
    """(What it is, its text), as the template's file has them."""
    if not isinstance(prompt, dict):
        return [("Prompt", prompt)] if isinstance(prompt, str) else []
    return [
        (title, text)
        for name, title in PROMPT_TITLES.items()
        if isinstance(text := prompt.get(name), str) and text.strip()
    ]


def _standings_in_runs(
    state: AppState, store: Store, agent_id: str, recent: Sequence[EpisodeSummary]
) -> list[AgentStanding]:
    """In its latest runs that somebody has judged."""
    in_runs = []
    for run in list(dict.fromkeys(summary.run for summary in recent))[:MAX_RUNS]:
        chosen = choose_run_and_judge(state, store, PageRequest(query={"run": run}))
        name = next((name for name, id_ in store.run_agents(run).items() if id_ == agent_id), None)
        if chosen is None or chosen.judge is None or name is None:
            continue
        try:
            standings = results_of(state, store, chosen).standings
        except InputError:  # the page of the standings says why there are none
            continue
        table = standings.tables.get(OVERALL) or next(iter(standings.tables.values()))
        for rank, standing in enumerate(table.standings, 1):
            if standing.agent == name and (standing.score or standing.rating):
                in_runs.append(
                    AgentStanding(
                        run=run,
                        judge=chosen.judge,
                        rank=rank,
                        out_of=len(table.standings),
                        standing=standing,
                    )
                )
    return in_runs


def _last_lines(store: Store, agent_id: str, recent: Sequence[EpisodeSummary]) -> list[ExampleLine]:
    """Some of its lines, from the latest episodes that did not fail."""
    examples = []
    for summary in [episode for episode in recent if episode.failure is None][:MAX_EPISODES]:
        stored = store.episode(summary.id, vectors=False).episode
        own_seats = {seat for seat, id_ in stored.cast.items() if id_ == agent_id}
        lines = [
            ExampleLine(
                episode=summary.id,
                number=number,
                text=act.action.text,
                scenario=summary.scenario_name,
            )
            for number, act in enumerate(stored.acts)
            if act.seat in own_seats and act.action.kind is ActionKind.speak
        ]
        examples += lines[:LINES_PER_EPISODE]
    return examples
