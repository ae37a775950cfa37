"""The names by which one seat may call the others, and the seats that each name may mean."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agents.replies.name_forms import (
    ARABIC_PREFIXES,
    SCRIPT_WITHOUT_SPACES,
    inflected_forms,
    spelling_pattern,
)
from agents.replies.privacy_words import (
    ARTICLES,
    FUNCTION_WORDS,
    HONORIFICS,
    KINSHIP,
    NAME_PARTICLES,
    THING_NOUNS,
    VERBS,
)
from simworld.core.episode import Observation
from simworld.core.scenario import Relationship

_SPACELESS_SCRIPT = re.compile(f"[{SCRIPT_WITHOUT_SPACES}]")
# Where a word begins and ends: no two letters of a script with spaces touch there. Once for all
# words: it is slow to compile.
_LETTER = rf"[^\W{SCRIPT_WITHOUT_SPACES}]"
_AFTER_ARABIC_PREFIX = "".join(rf"|(?<=\b{prefix})" for prefix in ARABIC_PREFIXES)
_WORD_START = rf"(?:(?<!{_LETTER})|(?!{_LETTER}){_AFTER_ARABIC_PREFIX})"
_WORD_END = rf"(?:(?!{_LETTER})|(?<!{_LETTER}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleNames:
    """What people are called in a dialogue as one seat writes it."""

    own: tuple[str, ...]  # the seat's own names, longest first
    others: Mapping[str, str]  # what others are called → seat
    # looser words for others → the seats they may mean
    looser_names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, observation: Observation) -> PeopleNames:
        """The names a seat may use, from its observation."""
        own = {
            observation.label,
            observation.persona.name,
            observation.persona.display_name,
            _role_words(observation.seat),
        }
        others = {other.label: other.seat for other in observation.others}
        for other in observation.others:
            if other.persona is not None:
                others.setdefault(other.persona.name, other.seat)
        return cls(own=_longest_first(own), others=others, looser_names=_looser_names(observation))

    @property
    def seats(self) -> frozenset[str]:
        """The other seats."""
        return frozenset(self.others.values())

    def seats_by_name(self) -> dict[str, frozenset[str]]:
        """Each name of the others, as it is spelled → the seats it may mean (one where it is
        unambiguous). Earlier kinds of names win: labels and full names, then the parts of names,
        then roles, occupations and relationships.
        """
        full_names = list(self.others.items())
        parts = [(part, seat) for name, seat in full_names for part in _name_parts(name)]
        roles = [
            (_role_words(seat), seat)
            for seat in self.seats
            if fold_name(_role_words(seat)) not in ARTICLES | FUNCTION_WORDS
        ]
        looser = [(word, seat) for word, seats in self.looser_names.items() for seat in seats]
        seats_by_word: dict[str, frozenset[str]] = {}
        earlier_words: set[str] = set()
        for words in (full_names, roles, parts, looser):
            new_seats: dict[str, set[str]] = {}
            for word, seat in words:
                if fold_name(word) not in earlier_words:
                    new_seats.setdefault(fold_name(word), set()).add(seat)
            seats_by_word |= {
                word: frozenset(new_seats[fold_name(word)])
                for word, _ in words
                if fold_name(word) in new_seats
            }
            earlier_words |= set(new_seats)
        return seats_by_word


def any_label(labels: Iterable[str]) -> str:
    """A pattern for any of the labels, the longest first; with spaces, and with composed letters,
    as replies are read.
    """
    return "|".join(spelling_pattern(label) for label in _longest_first(labels))


def whole_label(labels: Iterable[str]) -> str:
    """As `any_label`, as whole words where the script has spaces."""
    words = any_label(labels)
    return f"{_WORD_START}(?:{words}){_WORD_END}" if words else ""


def is_misspelt(word: str, names: Iterable[str]) -> bool:
    """Whether a word may be one of the known ones, misspelt."""
    word = fold_name(word)
    return any(_is_similar(word, name) for name in names)


def fold_name(text: str) -> str:
    """A name as it is compared: composed, case and outer spaces ignored."""
    return _normalise_spaces(text).casefold().replace("’", "'")


def _is_similar(word: str, other: str) -> bool:
    if _SPACELESS_SCRIPT.search(other):
        return len(word) == len(other) > 1 and not set(word).isdisjoint(other)
    if min(len(word), len(other)) < 3 or abs(len(word) - len(other)) > 3:
        return False
    return difflib.SequenceMatcher(None, word, other).ratio() >= 0.75


def _normalise_spaces(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _role_words(seat: str) -> str:
    return seat.replace("-", " ").replace("_", " ")


def _longest_first(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(filter(None, labels), key=lambda label: (-len(label), label)))


def _name_parts(name: str) -> Iterable[str]:
    # `Ann (Doctor)` is also called Ann, `Mrs. Ana Lopes` Ana and Lopes.
    bare = re.sub(r"\([^()]*\)", " ", name)
    words = [word.strip("\"'“”‘’.,:;()[]") for word in re.split(r"[\s-]", name)]
    for word in words:
        short = fold_name(word).rstrip(".")
        long = len(word) > 1 or (word and unicodedata.category(word) == "So")  # an emoji is a name
        if (
            long
            and not word.isdigit()
            and short not in HONORIFICS | ARTICLES | FUNCTION_WORDS | NAME_PARTICLES
        ):
            yield word
    if fold_name(bare) not in {fold_name(name), ""}:
        yield _normalise_spaces(bare)


def _looser_names(observation: Observation) -> dict[str, frozenset[str]]:
    seats_by_word: dict[str, frozenset[str]] = {}

    def add(words: Iterable[str], seat: str) -> None:
        for word in filter(None, map(fold_name, words)):
            seats_by_word[word] = seats_by_word.get(word, frozenset()) | {seat}

    for other in observation.others:
        role, language = _role_words(other.seat), observation.language
        add(KINSHIP.get(other.relationship.value, ()), other.seat)
        add(inflected_forms(role, language), other.seat)
        if other.persona is not None:
            persona, occupation = other.persona, other.persona.occupation
            add(inflected_forms(persona.name, language, occupations=(role, occupation)), other.seat)
            if other.relationship is not Relationship.stranger:
                add([persona.display_name], other.seat)
            add([occupation], other.seat)
            last_word = occupation.split()[-1:]
            add((w for w in last_word if fold_name(w) not in THING_NOUNS | VERBS), other.seat)
    return seats_by_word
