"""Contrasting pairs: two transcripts of one scene, one better on one dimension; as episodes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Rubric
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.yamlfile import Document, did_you_mean, load_text, load_yaml, parse

# dev was looked at while the built-in judge was chosen; test never was
SHIPPED_SETS = ("dev", "test")
MAX_SPEAKERS = 64
_MAX_NAME = 60
_MAX_SPEAKER = 200  # what stands before the colon: a name, and to whom
_SPEAKER_TO = re.compile(r"(?P<name>[^*]+)\(\s*(?:to|privately to)\s+(?P<to>[^)]+)\)")
_TRAILING_ALONE = re.compile(r"\s+alone$")


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
    def _check_speakers(cls, text: str) -> str:
        speakers = {name for name, _, _ in parse_transcript(text)}
        if not speakers:
            raise ValueError("no line begins with a name and a colon, like 'Ann: Hello.'")
        if len(speakers) > MAX_SPEAKERS:
            raise ValueError(f"{len(speakers)} speakers; at most {MAX_SPEAKERS} are judged")
        return text


@dataclass(frozen=True, kw_only=True)
class PairEpisodes:
    """A pair as one scenario and its two episodes, which a judge reads as it reads stored ones."""

    pair: ContrastPair

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """Everyone named in either transcript, the pair's seat first."""
        return tuple(dict.fromkeys([self.seat, *self._line_speakers()]))

    @cached_property
    def seat(self) -> str:
        """The pair's seat as the transcripts write it: `Ann` where the row says `Ann Lee`."""
        wanted, names = self.pair.seat.casefold(), self._line_speakers()
        matching = [name for name in names if name.casefold() == wanted]
        matching += [name for name in names if name.casefold().split()[:1] == wanted.split()[:1]]
        return matching[0] if matching else self.pair.seat

    @cached_property
    def scenario(self) -> Scenario:
        """The scene; only the pair's seat has a goal, knowledge or a secret."""
        pair, seat = self.pair, self.seat
        kind = pair.relationship.strip().replace(" ", "_").replace("-", "_").lower()
        is_relationship = kind in set(Relationship)
        return Scenario(
            name="pair",
            setting=" ".join(pair.setting.split()),
            judge_note=""
            if is_relationship or not pair.relationship
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
            if is_relationship
            else {},
        )

    def episode(self, text: str) -> Episode:
        """A transcript as an episode that ended by itself."""
        acts = [self._act(*line) for line in parse_transcript(text)]
        return Episode(
            scenario_id=self.scenario.id,
            cast={},
            seed=0,
            turns=tuple(Turn(index=i, acts=(act,)) for i, act in enumerate(acts)),
            ending=Ending.terminated,
            reason="left",
        )

    def _line_speakers(self) -> list[str]:
        texts = (self.pair.better, self.pair.worse)
        return [name for text in texts for name, _, _ in parse_transcript(text)]

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


def parse_transcript(text: str) -> list[tuple[str, str, str]]:
    """A transcript's acts as (name, to, text); a line without a name continues the act before."""
    acts: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if parsed_line := _parse_line(line):
            name, to, words = parsed_line
            acts.append((name, to, [words]))
        elif line.strip() and acts:
            acts[-1][2].append(line.strip())
    return [(name, to, " ".join(parts)) for name, to, parts in acts]


def _parse_line(line: str) -> tuple[str, str, str] | None:
    """Name, addressees and words of a line that begins with a name and a colon."""
    speaker, colon, words = line.partition(":")
    name, to = speaker.strip(), ""
    if len(name) <= _MAX_SPEAKER and (addressed := _SPEAKER_TO.fullmatch(name)):
        name, to = addressed["name"].strip(), _TRAILING_ALONE.sub("", addressed["to"].strip())
    if not colon or not name or len(name) > _MAX_NAME or "*" in name:
        return None
    return name, to, words.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """Pairs that are reported together."""

    name: str
    pairs: tuple[ContrastPair, ...]
    file: str = ""  # where they were read from
    shipped: bool = False


def load_pairs(path: Path) -> PairSet:
    """The pairs of a YAML file, a list of rows. Raises InputError with every problem."""
    return PairSet(name=path.stem, pairs=_parse_pairs(load_yaml(path)), file=str(path))


def shipped_pairs() -> tuple[PairSet, ...]:
    """The pairs that come with simworld."""
    folder = resources.files("simworld.judging") / "pairs"
    texts = {name: (folder / f"{name}.yaml").read_text("utf-8") for name in SHIPPED_SETS}
    return tuple(
        PairSet(name=name, pairs=_parse_pairs(load_text(text, f"{name}.yaml")), shipped=True)
        for name, text in texts.items()
    )


def check_pair_dimensions(sets: Sequence[PairSet], rubric: Rubric) -> None:
    """Raises InputError, one line, where pairs have dimensions that are not the rubric's."""
    known = [d.name for d in rubric.dimensions]
    asked = dict.fromkeys(pair.dimension for pair_set in sets for pair in pair_set.pairs)
    unknown = [name for name in asked if name not in known]
    if not unknown:
        return
    known_text = f"the rubric {rubric.name} has {', '.join(known)}"
    if any(pair_set.shipped for pair_set in sets):
        raise InputError(
            f"the shipped pairs are about the rubric sotopia, and {known_text}: give pairs of your"
            " own with --pairs FILE (`simworld judge check --help` shows one)"
        )
    suggestions = [f"{name!r}{did_you_mean(name, known)}" for name in unknown]
    noun = "dimension" if len(unknown) == 1 else "dimensions"
    hint = "" if len(unknown) == 1 and suggestions[0] != repr(unknown[0]) else f"; {known_text}"
    files = ", ".join(pair_set.file or pair_set.name for pair_set in sets)
    raise InputError(f"{files}: unknown {noun} {', '.join(suggestions)}{hint}")


def _parse_pairs(document: Document) -> tuple[ContrastPair, ...]:
    if not isinstance(document.data, list) or not document.data:
        content = (
            "an empty file"
            if document.data is None
            else "an empty list"
            if document.data == []
            else "something else"
        )
        raise InputError([document.problem((), f"expected a list of pairs, found {content}")])
    pairs: list[ContrastPair] = []
    problems: list[Problem] = []
    for i, row in enumerate(document.data):
        nodes = document.root.value if document.root is not None else ()
        try:
            pairs.append(parse(Document(name=document.name, data=row, root=nodes[i]), ContrastPair))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(pairs)
