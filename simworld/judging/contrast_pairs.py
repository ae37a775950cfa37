"""Contrasting pairs: two transcripts of one scene, one better than the other on one dimension, and
how they become episodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel, ConfigDict, Field, field_validator

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat

MAX_SPEAKERS = 64
_MAX_NAME = 60
_MAX_HEAD = 200  # what stands before the colon: a name, and to whom
_HEAD = re.compile(r"(?P<name>[^*]+)\(\s*(?:to|privately to)\s+(?P<to>[^)]+)\)")
_ALONE = re.compile(r"\s+alone$")


class ContrastPair(BaseModel):
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

    @field_validator("better", "worse")
    @classmethod
    def _readable(cls, text: str) -> str:
        speakers = {name for name, _, _ in lines(text)}
        if not speakers:
            raise ValueError("no line begins with a name and a colon, like 'Ann: Hello.'")
        if len(speakers) > MAX_SPEAKERS:
            raise ValueError(f"{len(speakers)} speakers; at most {MAX_SPEAKERS} are judged")
        return text


@dataclass(frozen=True, kw_only=True)
class PairEpisodes:
    """A pair as one scenario and its two episodes, so that a judge meets them on the very path of
    stored episodes.
    """

    pair: ContrastPair

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
        same += [name for name in names if name.casefold().split()[:1] == wanted.split()[:1]]
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
            judge_note=""
            if known or not pair.relationship
            else f"Relationship: {pair.relationship}",
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
            relationships={(seat, name): Relationship(kind) for name in self.speakers[1:]}
            if known
            else {},
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
        gesture = (
            len(text) > 2 and text.startswith("*") and text.endswith("*") and "*" not in text[1:-1]
        )
        kind = ActionKind.non_verbal if gesture else ActionKind.speak
        seats = tuple(
            part for part in re.split(r"\s*(?:,|\band\b)\s*", to) if part in self.speakers
        )
        return Act(
            seat=name, action=Action(kind=kind, text=text.strip("*") if gesture else text, to=seats)
        )


def lines(text: str) -> list[tuple[str, str, str]]:
    """A transcript as (name, to, text) per act; a line without a name goes on with the act before
    it.
    """
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if spoken := _spoken(line):
            name, to, said = spoken
            found.append((name, to, [said]))
        elif line.strip() and found:
            found[-1][2].append(line.strip())
    return [(name, to, " ".join(parts)) for name, to, parts in found]


def _spoken(line: str) -> tuple[str, str, str] | None:
    """Name, addressees and words of a line that begins with a name and a colon."""
    head, colon, said = line.partition(":")
    name, to = head.strip(), ""
    if len(name) <= _MAX_HEAD and (addressed := _HEAD.fullmatch(name)):
        name, to = addressed["name"].strip(), _ALONE.sub("", addressed["to"].strip())
    if not colon or not name or len(name) > _MAX_NAME or "*" in name:
        return None
    return name, to, said.strip()
