"""Runs: what was planned, played and judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.web.app_state import AppState
from simworld.web.figures.bars import draw_progress
from simworld.web.page import Page
from simworld.web.page_request import PageNotFound, PageRequest
from store import EndingCount, EpisodeSummary, RunSummary, Store

PAGE_SIZE = 50
MAX_FAILURES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioProgress:
    """What became of one scenario in a run."""

    id: str
    name: str
    family: str
    episodes: int
    failed: int


def list_(state: AppState, store: Store, request: PageRequest) -> Page:
    """All runs, the latest first."""
    page = request.integer("page", low=1, high=1_000_000, default=1)
    summaries = state.cached("runs", lambda: store.run_summaries()[::-1])
    page_of_runs = summaries[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    return Page(
        template="run_list.html",
        title="Runs",
        values={
            "rows": [(summary, draw_run_progress(summary)) for summary in page_of_runs],
            "total": len(summaries),
            "page": page,
            "more": len(summaries) > page * PAGE_SIZE,
        },
    )


def show(state: AppState, store: Store, request: PageRequest) -> Page:
    """One run: counts, endings, scenarios, agents, and what it was begun with."""
    name = request.path_part("name")
    try:
        summary = state.cached(("run", name), lambda: store.run_summary(name))
    except InputError as error:
        raise PageNotFound(error.problems) from None
    counts = state.cached(("endings", name), lambda: store.ending_counts(name))
    return Page(
        template="run_show.html",
        title=f"Run {name}",
        values={
            "summary": summary,
            "bar": draw_run_progress(summary),
            "agents": store.run_agents(name),
            "endings": count_endings(counts),
            "scenarios": scenario_progress(counts),
            "families": any(count.family != count.scenario_name for count in counts),
            "settings": json.dumps(summary.run.settings, indent=1, ensure_ascii=False),
            "failures": state.cached(("failures", name), lambda: last_failures(store, name))
            if summary.failed
            else (),
            "commands": (summary.run.profile or {}).get("commands", ()),
        },
    )


def last_failures(store: Store, run: str) -> list[EpisodeSummary]:
    """The latest failed attempts after which nobody has tried again, the latest first."""
    failed = store.episode_summaries(run=run, ending=Ending.failed)[::-1]
    states = store.item_states(run)
    return [episode for episode in failed if states[episode.item_key].attempts == episode.attempt][
        :MAX_FAILURES
    ]


def draw_run_progress(summary: RunSummary) -> Markup:
    """How far a run is."""
    return draw_progress(summary.done, summary.failed, summary.planned)


def count_endings(counts: Iterable[EndingCount]) -> list[tuple[Ending, str, int]]:
    """(Ending, reason, episodes), the most frequent first."""
    episodes: Counter[tuple[Ending, str]] = Counter()
    for count in counts:
        episodes[count.ending, count.reason] += count.episodes
    return [(ending, reason, n) for (ending, reason), n in episodes.most_common()]


def scenario_progress(counts: Iterable[EndingCount]) -> list[ScenarioProgress]:
    """Scenarios by name."""
    episodes: Counter[tuple[str, str, str]] = Counter()
    failed: Counter[tuple[str, str, str]] = Counter()
    for count in counts:
        key = count.scenario_name, count.scenario_id, count.family
        episodes[key] += count.episodes
        failed[key] += count.episodes * (count.ending is Ending.failed)
    return [
        ScenarioProgress(
            id=id_, name=name, family=family, episodes=n, failed=failed[name, id_, family]
        )
        for (name, id_, family), n in sorted(episodes.items())
    ]
