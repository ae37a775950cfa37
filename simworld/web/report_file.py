"""One tournament as one file: standings, differences, scenarios and transcripts, with the
stylesheet inside and nothing outside.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, zip_longest
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

import simworld
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.core.scenario import Scenario
from simworld.results.episode_scores import scores_of
from simworld.tournament.loading import Tournament
from simworld.tournament.results import Results, differences_for_ids, results_for_ids
from simworld.tournament.stored_tournament import stored_judges, stored_tournament
from simworld.web.html import environment
from simworld.web.judgement_table import judgement_tables
from simworld.web.pages import episode
from simworld.web.pages.run import last_failures
from simworld.web.pages.scenario import SeatBriefing, seat_briefing
from simworld.web.standings_figures import (
    SHARES,
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

STYLE = Path(__file__).parent / "static" / "style.css"
MOST_BYTES = 4_500_000  # of the whole file
MOST_PAIRS = 28  # of agents; of more, each beside the best one only


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSection:
    """What one judge's scores come to."""

    results: Results
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


def make_report(store: Store, run: str, *, most_bytes: int = MOST_BYTES) -> str:
    """The page, as text. Transcripts are left out, evenly over the scenarios, where they would make
    it too large.

    Args:
        store: where the tournament was played.
        run: its name; a run that no tournament began counts as one of all its agents.
        most_bytes: of the page in UTF-8.

    Raises:
        InputError: there is no such run, or nothing of it was played.
    """
    tournament = stored_tournament(store, run)
    summary = store.run(run)
    if not summary.episodes:
        raise InputError(f"nothing of {run!r} is played yet; `simworld tournament run` plays it")
    templates = environment()
    by_name = stored_judges(store, run)
    judged_ = [
        section
        for name, ids in by_name.items()
        if (section := _judge_section(store, tournament, name, ids)) is not None
    ]
    main = next(iter(by_name.values()), ())
    judges = [judge for judge in store.judges() if judge.id in main]
    template = templates.get_template("report.html")
    of_episode = templates.get_template("report_episode.html")
    style = STYLE.read_text("utf-8")

    failures = last_failures(store, run) if summary.failed else []

    def page(played: Sequence[PlayedScenario]) -> str:
        return template.render(
            title=tournament.file.title or run,
            tournament=tournament,
            summary=summary,
            judged=judged_,
            played=played,
            shown=sum(len(scenario.episodes) for scenario in played),
            total=sum(scenario.total for scenario in played),
            failures=failures,
            style=Markup(style),
            style_hash=_hash(style),
            version=simworld.__version__,
            made=datetime.now(UTC),
        )

    summaries = {s.id: store.summaries(run=run, scenario=s.id) for s in tournament.scenarios}
    bare = [
        PlayedScenario(
            scenario=scenario,
            roles=[seat_briefing(scenario, seat.name) for seat in scenario.seats],
            episodes=(),
            total=len(summaries[scenario.id]),
        )
        for scenario in tournament.scenarios
    ]
    room = most_bytes - len(page(bare).encode())
    kept: dict[str, list[Markup]] = {}
    scenarios = {scenario.id: scenario for scenario in tournament.scenarios}
    for summary_ in _interleaved([summaries[id_] for id_ in scenarios]):
        drawn_ = _episode(store, judges, scenarios[summary_.scenario_id], summary_, of_episode)
        room -= len(drawn_.encode()) + 1
        if room < 0:
            break
        kept.setdefault(summary_.scenario_id, []).append(drawn_)
    return page(
        [
            PlayedScenario(
                scenario=section.scenario,
                roles=section.roles,
                episodes=kept.get(section.scenario.id, ()),
                total=section.total,
            )
            for section in bare
        ]
    )


def _judge_section(
    store: Store, tournament: Tournament, name: str, ids: Sequence[str]
) -> JudgeSection | None:
    results = results_for_ids(tournament, store, name, ids)
    tables = results.standings.tables
    if not tables:
        return None
    measure = next(iter(tables))
    agents = [standing.agent for standing in tables[measure].standings]
    pairs = list(combinations(agents, 2))
    if len(pairs) > MOST_PAIRS:
        pairs = [(agents[0], other) for other in agents[1:]]
    compared = []
    for first, second in pairs:
        difference = differences_for_ids(tournament, store, ids, first, second).get(OVERALL)
        if difference is not None:
            compared.append((first, second, difference))
    figures = draw_differences({f"{a}\0{b}": difference for a, b, difference in compared})
    return JudgeSection(
        results=results,
        measure=measure,
        drawn=draw_measure(tables[measure], results.scales.get(measure, SHARES)),
        means=mean_columns(results, agents),
        matrix=win_matrix(tables[measure]),
        pairs=[(a, b, figure) for (a, b, _), figure in zip(compared, figures, strict=True)],
    )


def _interleaved(by_scenario: Sequence[Sequence[EpisodeSummary]]) -> Iterator[EpisodeSummary]:
    """The first episode of each scenario, then the second of each, and so on."""
    for round_ in zip_longest(*by_scenario):
        yield from (summary for summary in round_ if summary is not None)


def _episode(
    store: Store,
    judges: Sequence[JudgeRecord],
    scenario: Scenario,
    summary: EpisodeSummary,
    template: Template,
) -> Markup:
    stored = store.episode(summary.id)
    steered = steering_strips(store, stored)
    scores = scores_of(store, judges, [summary.id])
    return Markup(
        template.render(
            summary=summary,
            lines=episode.transcript_lines(stored, scenario, episode.seat_names(summary)),
            language=scenario.language,
            strips={
                step.number: thin_strip(step) for drawn_ in steered for step, _ in drawn_.steps
            },
            places=episode.seat_places(summary),
            checks=stored.episode.checks,
            judgements=judgement_tables(store, stored),
            seats={seat: scored for (_, seat), scored in scores.items()},
        )
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
