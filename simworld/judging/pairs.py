"""Contrasting pairs: two transcripts of one scene, one better than the other on one dimension, and how they become episodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat

_LINE = re.compile(
    r"^\s*(?P<name>[^:*\n]{1,60}?)\s*(?:\((?:to|privately to)\s+(?P<to>[^)]+?)(?:\s+alone)?\))?\s*:\s*(?P<text>.*)$"
)


class Pair(BaseModel):
    """One row of a pairs file: `better` deserves the higher score on `dimension` for `seat`."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    setting: str = Field(min_length=1)
    seat: str = Field(min_length=1)
    goal: str = ""
    dimension: str = Field(min_length=1)
    better: str = Field(min_length=1)
    worse: str = Field(min_length=1)
    secret: str = ""
    knows: str = ""
    relationship: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A pair as one scenario and its two episodes, so that a judge meets them on the very path of stored episodes."""

    pair: Pair

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """Everyone named in either transcript, the pair's seat first."""
        seat = self.seat
        names = [name for text in (self.pair.better, self.pair.worse) for name, _, _ in lines(text)]
        return tuple(dict.fromkeys([seat, *names]))

    @cached_property
    def seat(self) -> str:
        """The pair's seat as the transcripts write it: `Ann` where the row says `Ann Lee`."""
        wanted = self.pair.seat.casefold()
        names = [name for text in (self.pair.better, self.pair.worse) for name, _, _ in lines(text)]
        same = [name for name in names if name.casefold() == wanted]
        same += [name for name in names if name.casefold().split()[0] == wanted.split()[0]]
        return same[0] if same else self.pair.seat

    @cached_property
    def scenario(self) -> Scenario:
        """The scene; only the pair's seat has a goal, knowledge or a secret."""
        pair, seat = self.pair, self.seat
        kind = pair.relationship.strip().replace(" ", "_").replace("-", "_").lower()
        known = kind in set(Relationship)
        return Scenario(
            name="pair",
            setting=" ".join(pair.setting.split()),
            judge_note="" if known or not pair.relationship else f"Relationship: {pair.relationship}",
            seats=tuple(
                Seat(
                    name=name,
                    persona=Persona(name=name, short=name),
                    goal=pair.goal,
                    knows=pair.knows,
                    secret=pair.secret,
                )
                if name == seat
                else Seat(name=name, persona=Persona(name=name, short=name), goal="")
                for name in self.speakers
            ),
            relationships={(seat, name): Relationship(kind) for name in self.speakers[1:]} if known else {},
        )

    def episode(self, text: str) -> Episode:
        """A transcript as an episode that ended by itself."""
        acts = [self._act(*line) for line in lines(text)]
        return Episode(
            scenario_id=self.scenario.id,
            cast={},
            seed=0,
            turns=tuple(Turn(index=i, acts=(act,)) for i, act in enumerate(acts)),
            ending=Ending.terminated,
            reason="left",
        )

    def _act(self, name: str, to: str, text: str) -> Act:
        gesture = len(text) > 2 and text.startswith("*") and text.endswith("*") and "*" not in text[1:-1]
        kind = ActionKind.non_verbal if gesture else ActionKind.speak
        seats = tuple(part for part in re.split(r"\s*(?:,|\band\b)\s*", to) if part in self.speakers)
        return Act(seat=name, action=Action(kind=kind, text=text.strip("*") if gesture else text, to=seats))


def lines(text: str) -> list[tuple[str, str, str]]:
    """A transcript as (name, to, text) per act; a line without a name goes on with the act before it."""
    found: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if match := _LINE.match(line):
            found.append((match["name"], match["to"] or "", match["text"].strip()))
        elif line.strip() and found:
            name, to, before = found[-1]
            found[-1] = (name, to, f"{before} {line.strip()}")
    return found
