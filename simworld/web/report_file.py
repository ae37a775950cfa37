"""One tournament as one file: standings, differences, scenarios and transcripts, with the
stylesheet inside and nothing outside.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations, zip_longest
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

import simworld
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.core.scenario import Scenario
from simworld.results.episode_scores import read_episode_scores
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.results import TournamentResult, compare_by_ids, results_by_ids
from simworld.tournaments.stored_tournament import stored_judges, stored_tournament
from simworld.web.html import make_environment
from simworld.web.judgement_table import judgement_tables
from simworld.web.pages import episode
from simworld.web.pages.run import last_failures
from simworld.web.pages.scenario import SeatBriefing, seat_briefing
from simworld.web.standings_figures import (
    SHARE_SCALE,
    ComparedMeasure,
    DrawnMeasure,
    MeanColumns,
    WinMatrix,
    draw_differences,
    draw_measure,
    mean_columns,
    win_matrix,
)
from simworld.web.steering_strips import steering_strips, thin_strip
from store import EpisodeSummary, JudgeRecord, Store

STYLESHEET = Path(__file__).parent / "static" / "style.css"
MAX_BYTES = 4_500_000  # of the whole file
MAX_PAIRS = 28  # of agents; of more, each beside the best one only


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSection:
    """What one judge's scores come to."""

    results: TournamentResult
    measure: str
    drawn: DrawnMeasure
    means: MeanColumns
    matrix: WinMatrix
    pairs: Sequence[tuple[str, str, ComparedMeasure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedScenario:
    """A scenario with those of its episodes that found room."""

    scenario: Scenario
    roles: Sequence[SeatBriefing]
    episodes: Sequence[Markup]
    total: int


def make_report(store: Store, run: str, *, max_bytes: int = MAX_BYTES) -> str:
    """The page, as text. Transcripts are left out, evenly over the scenarios, where they would make
    it too large.

    Args:
        store: where the tournament was played.
        run: its name; a run that no tournament began counts as one of all its agents.
        max_bytes: of the page in UTF-8.

    Raises:
        InputError: there is no such run, or nothing of it was played.
    """
    tournament = stored_tournament(store, run)
    summary = store.run_summary(run)
    if not summary.episodes:
        raise InputError(f"nothing of {run!r} is played yet; `simworld tournament run` plays it")
    templates = make_environment()
    judge_ids_by_name = stored_judges(store, run)
    judge_sections = [
        section
        for name, ids in judge_ids_by_name.items()
        if (section := _judge_section(store, tournament, name, ids)) is not None
    ]
    main_judge_ids = next(iter(judge_ids_by_name.values()), ())
    judges = [judge for judge in store.judges() if judge.id in main_judge_ids]
    template = templates.get_template("report.html")
    episode_template = templates.get_template("report_episode.html")
    style = STYLESHEET.read_text("utf-8")

    failures = last_failures(store, run) if summary.failed else []

    def page(played: Sequence[PlayedScenario]) -> str:
        return template.render(
            title=tournament.file.title or run,
            tournament=tournament,
            summary=summary,
            judged=judge_sections,
            played=played,
            shown=sum(len(scenario.episodes) for scenario in played),
            total=sum(scenario.total for scenario in played),
            failures=failures,
            style=Markup(style),
            style_hash=_style_hash(style),
            version=simworld.__version__,
            made=datetime.now(UTC),
        )

    summaries = {
        s.id: store.episode_summaries(run=run, scenario=s.id) for s in tournament.scenarios
    }
    without_episodes = [
        PlayedScenario(
            scenario=scenario,
            roles=[seat_briefing(scenario, seat.name) for seat in scenario.seats],
            episodes=(),
            total=len(summaries[scenario.id]),
        )
        for scenario in tournament.scenarios
    ]
    bytes_left = max_bytes - len(page(without_episodes).encode())
    drawn_by_scenario: dict[str, list[Markup]] = {}
    scenarios = {scenario.id: scenario for scenario in tournament.scenarios}
    for episode_summary in _interleave([summaries[id_] for id_ in scenarios]):
        drawn_episode = _draw_episode(
            store, judges, scenarios[episode_summary.scenario_id], episode_summary, episode_template
        )
        bytes_left -= len(drawn_episode.encode()) + 1
        if bytes_left < 0:
            break
        drawn_by_scenario.setdefault(episode_summary.scenario_id, []).append(drawn_episode)
    return page(
        [
            replace(section, episodes=drawn_by_scenario.get(section.scenario.id, ()))
            for section in without_episodes
        ]
    )


def _judge_section(
    store: Store, tournament: Tournament, name: str, ids: Sequence[str]
) -> JudgeSection | None:
    results = results_by_ids(tournament, store, name, ids)
    tables = results.standings.tables
    if not tables:
        return None
    measure = next(iter(tables))
    agents = [standing.agent for standing in tables[measure].standings]
    pairs = list(combinations(agents, 2))
    if len(pairs) > MAX_PAIRS:
        pairs = [(agents[0], other) for other in agents[1:]]
    differences = []
    for first, second in pairs:
        difference = compare_by_ids(tournament, store, ids, first, second).get(OVERALL)
        if difference is not None:
            differences.append((first, second, difference))
    figures = draw_differences({f"{a}\0{b}": difference for a, b, difference in differences})
    return JudgeSection(
        results=results,
        measure=measure,
        drawn=draw_measure(tables[measure], results.scales.get(measure, SHARE_SCALE)),
        means=mean_columns(results, agents),
        matrix=win_matrix(tables[measure]),
        pairs=[(a, b, figure) for (a, b, _), figure in zip(differences, figures, strict=True)],
    )


def _interleave(by_scenario: Sequence[Sequence[EpisodeSummary]]) -> Iterator[EpisodeSummary]:
    """The first episode of each scenario, then the second of each, and so on."""
    for round_ in zip_longest(*by_scenario):
        yield from (summary for summary in round_ if summary is not None)


def _draw_episode(
    store: Store,
    judges: Sequence[JudgeRecord],
    scenario: Scenario,
    summary: EpisodeSummary,
    template: Template,
) -> Markup:
    stored = store.episode(summary.id)
    steering = steering_strips(store, stored)
    scores = read_episode_scores(store, judges, [summary.id])
    return Markup(
        template.render(
            summary=summary,
            lines=episode.transcript_lines(stored, scenario, episode.seat_names(summary)),
            language=scenario.language,
            strips={
                step.number: thin_strip(step) for strips in steering for step, _ in strips.steps
            },
            ways={step.number: step.ways for strips in steering for step, _ in strips.steps},
            seat_indices=episode.seat_indices(summary),
            checks=stored.episode.checks,
            judgements=judgement_tables(store, stored),
            seats={seat: scored for (_, seat), scored in scores.items()},
        )
    )


def _style_hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
