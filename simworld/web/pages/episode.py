"""Episodes: lists of them, and one with its transcript, as everybody or as one seat saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simworld.core.counts import counted
from simworld.core.episode import Act, Ending
from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from simworld.core.visibility import labels_seen_by, perceives
from simworld.language.act_text import describe_act
from simworld.web.app_state import AppState
from simworld.web.judgement_table import judgement_tables
from simworld.web.page import Page
from simworld.web.page_request import PageNotFound, PageRequest
from simworld.web.pages.scenario import find_scenario, seat_briefing
from simworld.web.steering_strips import steering_strips, thin_strip
from simworld.web.titles import scenario_title
from simworld.yamlfile import did_you_mean
from store import EpisodeSummary, Store, StoredEpisode

PAGE_SIZE = 50
MAX_ACTS = 10_000  # on one page
MAX_CHARACTERS = 5_000_000
FILTERS = ("run", "scenario", "family", "agent", "ending")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptLine:
    """An act as the transcript shows it."""

    number: int  # of the act, from 0: its anchor
    turn: int  # as people count, from 1
    seat: str
    seat_index: int  # of the seat in the scenario, from 0: its colour
    speaker: str
    kind: str
    text: str
    to: tuple[str, ...]  # whom alone it was meant for
    act: Act


def list_(state: AppState, store: Store, request: PageRequest) -> Page:
    """Episodes that match, the latest first, page by page."""
    names = state.cached("names", store.filter_names)
    chosen = {name: request.text(name) for name in FILTERS}
    ending = request.choice("ending", [ending.value for ending in Ending])
    before = request.text("before")
    summaries = store.episode_summaries(
        **{name: chosen[name] for name in FILTERS if name != "ending"},
        ending=Ending(ending) if ending else None,
        limit=PAGE_SIZE + 1,
        before=before,
    )[::-1]
    return Page(
        template="episode_list.html",
        title="Episodes",
        values={
            "rows": summaries[:PAGE_SIZE],
            "chosen": chosen,
            "names": names,
            "endings": [ending.value for ending in Ending],
            "before": before,
            "older": summaries[PAGE_SIZE - 1].id if len(summaries) > PAGE_SIZE else None,
        },
    )


def show(state: AppState, store: Store, request: PageRequest) -> Page:
    """One episode."""
    stored = find_episode(store, request.path_part("id"))
    scenario = find_scenario(store, stored.summary.scenario_id)
    seat = _chosen_seat(request, scenario)
    labels = seat_names(stored.summary) if seat is None else labels_seen_by(scenario, seat)
    steered = steering_strips(store, stored)
    return Page(
        template="episode_show.html",
        title=scenario_title(scenario),
        values={
            "summary": stored.summary,
            "scenario": scenario,
            "seat": seat,
            "role": None if seat is None else seat_briefing(scenario, seat),
            "seat_indices": seat_indices(stored.summary),
            "made": request.choice("made", ("1",)) is not None,
            "lines": transcript_lines(stored, scenario, labels, seat),
            "hidden": sum(
                seat is not None and not perceives(seat, act) for act in stored.episode.acts
            ),
            "checks": stored.episode.checks,
            "judgements": judgement_tables(store, stored),
            "steering": steered,
            "strips": {
                step.number: thin_strip(step) for drawn in steered for step, _ in drawn.steps
            },
            "ways": {step.number: step.ways for drawn in steered for step, _ in drawn.steps},
            "numbers": {
                (line.turn - 1, line.seat): line.number
                for line in transcript_lines(stored, scenario, {})
            },
        },
    )


def find_episode(store: Store, id_: str) -> StoredEpisode:
    """The episode with this id or beginning of one. Raises PageNotFound, and InputError as
    `check_size`.
    """
    check_size(store, id_.lower())
    try:
        return store.episode(id_.lower())
    except InputError as error:
        raise PageNotFound(error.problems) from None


def check_size(store: Store, id_: str) -> None:
    """Raises InputError for an episode that is too long for a page."""
    acts, characters = store.episode_size(id_)
    if acts > MAX_ACTS or characters > MAX_CHARACTERS:
        raise InputError(
            f"the episode has {counted(acts, 'act')} of {counted(characters, 'character')}, more"
            f" than a page can show; print it with: simworld episode show {id_}"
        )


def seat_names(summary: EpisodeSummary) -> dict[str, str]:
    """Seat → the name of who sits there."""
    return {seat.seat: seat.persona for seat in summary.seats}


def seat_indices(summary: EpisodeSummary) -> dict[str, int]:
    """Seat → its place, which is its colour."""
    return {seat.seat: index for index, seat in enumerate(summary.seats)}


def transcript_lines(
    stored: StoredEpisode, scenario: Scenario, labels: Mapping[str, str], seat: str | None = None
) -> list[TranscriptLine]:
    """The transcript in the words of the scenario's language, of a seat only what it perceived."""
    index_by_seat = seat_indices(stored.summary)
    transcript = []
    number = 0
    for turn in stored.episode.turns:
        for act in turn.acts:
            if seat is None or perceives(seat, act):
                transcript.append(
                    TranscriptLine(
                        number=number,
                        turn=turn.index + 1,
                        seat=act.seat,
                        seat_index=index_by_seat.get(act.seat, 0),
                        speaker=labels.get(act.seat, act.seat),
                        kind=act.action.kind.value,
                        text=describe_act(act.action, scenario.language),
                        to=tuple(labels.get(other, other) for other in act.action.to),
                        act=act,
                    )
                )
            number += 1
    return transcript


def _chosen_seat(request: PageRequest, scenario: Scenario) -> str | None:
    chosen = request.text("seat")
    seats = [seat.name for seat in scenario.seats]
    if chosen is not None and chosen not in seats:
        raise InputError(
            f"no seat {chosen!r}"
            f" here{did_you_mean(chosen, seats) or '; there are ' + ', '.join(seats)}"
        )
    return chosen
