"""The acts of one seat in one episode, each with what stood around it as the seat perceived it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simworld.core.episode import Act, ActionKind, Episode
from simworld.core.scenario import Scenario
from simworld.core.visibility import perceives

_QUESTION_MARK = re.compile(r"[?？؟]")


def asks(text: str) -> bool:
    """Whether words hold a question mark."""
    return bool(_QUESTION_MARK.search(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTurn:
    """One act of a seat. Words of an act that says nothing are empty."""

    text: str
    turn: int  # from 0
    turns_limit: int
    heard: str  # the last words of another seat before it; empty: there were none
    own_before: str  # the seat's own words before those; empty: there were none
    has_asked: bool  # whether any of the seat's own words before holds a question mark
    answer: str | None  # another seat's next words, before the seat's own next act; None: none came
    goal: str  # the seat's
    scenario_kind: str  # bargaining, persuasion, …; may be empty

    @property
    def in_first_half(self) -> bool:
        """Whether more than half of the turns were left."""
        return 2 * self.turn < self.turns_limit


def words_alone(text: str) -> SeatTurn:
    """An act of which nothing but its words is known."""
    return SeatTurn(
        text=text,
        turn=0,
        turns_limit=1,
        heard="",
        own_before="",
        has_asked=False,
        answer=None,
        goal="",
        scenario_kind="",
    )


def seat_turns(scenario: Scenario, episode: Episode, seat: str) -> dict[int, SeatTurn]:
    """Turn → what the seat did in it, for all turns in which it acted."""
    acts = [(turn.index, act) for turn in episode.turns for act in turn.acts]
    by_turn = {}
    for index, act in acts:
        if act.seat != seat:
            continue
        before = [other for other in acts if other[0] < index]
        after = [other for other in acts if other[0] > index]
        own_next = min((turn for turn, other in after if other.seat == seat), default=None)
        answers = [
            other
            for turn, other in after
            if _speaks_to(seat, other) and (own_next is None or turn < own_next)
        ]
        heard = [other for _, other in before if _speaks_to(seat, other)]
        own = [other for _, other in before if other.seat == seat]
        by_turn[index] = SeatTurn(
            text=_words(act),
            turn=index,
            turns_limit=scenario.limits.turns,
            heard=_words(heard[-1]) if heard else "",
            own_before=_words(own[-1]) if own else "",
            has_asked=any(asks(_words(other)) for other in own),
            answer=_words(answers[0]) if answers else None,
            goal=scenario.seat(seat).goal,
            scenario_kind=scenario.kind,
        )
    return by_turn


def _speaks_to(seat: str, act: Act) -> bool:
    return act.seat != seat and perceives(seat, act) and act.action.kind is not ActionKind.none


def _words(act: Act) -> str:
    return "" if act.action.kind is ActionKind.none else act.action.text
