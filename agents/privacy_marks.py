"""What one stage direction says about privacy: `to Ida`, `whispers in Ida's ear`, `only Ida can
hear`, `to be honest`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from agents.addressees import UNKNOWN, PeoplePresent
from agents.direction_patterns import (
    EVERYONE,
    MORE,
    NAME_LIKE,
    OTHER_LANGUAGES,
    SOMEBODY,
    TO_A_ROLE,
)
from agents.direction_patterns import MANNERS as OTHER_MANNERS
from agents.name_forms import SCRIPT_WITHOUT_SPACES
from agents.people_names import PeopleNames, any_label
from agents.privacy_words import ASIDE, HEARING, LOW_VOICE, MANNERS, NOT_HEARING, ONLY, PRIVATELY
from agents.stage_directions import CLOSING, PAIRED

# a letter, a digit or an emoji
MEANING = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")
SUBJECT = r"(?:she|he|they|i)"
_LOW_VOICE = re.compile(f"(?i){LOW_VOICE}")
_HEARING = re.compile(f"(?i){HEARING}")
_NOT_HEARING = re.compile(f"(?i){NOT_HEARING}")
_ASIDE = re.compile(f"(?i){ASIDE}")
_TO = frozenset(["to", "→", "->"])
_PAUSES = frozenset(",;—–-")
# `leans over to Ida`
_MOVING = frozenset(["back", "close", "closer", "in", "lean", "leaning", "leans", "over", "up"])
_TOKEN = re.compile(r"[^\W_]+|->|→|[,;:：—–-]")
_OPENED = "".join(PAIRED) + ' *_"“”'

_OTHER_WHISPERS = re.compile("(?i)" + "|".join(words.whispers for words in OTHER_LANGUAGES))
_OTHER_ADDRESSED = [
    (re.compile(f"(?i){words.addressed}"), re.compile(f"(?i){words.beside}|[、،,&;\\s]"))
    for words in OTHER_LANGUAGES
]
_OTHER_SOMEBODY = re.compile(f"(?i){SOMEBODY}")
_OTHER_NAME_LIKE = re.compile(f"(?i:{OTHER_MANNERS})?(?:{'|'.join([NAME_LIKE, *TO_A_ROLE])}){MORE}")
_OTHER_BESIDE = re.compile("(?i)" + "|".join(words.beside for words in OTHER_LANGUAGES))
# "To the customers", as German has them: what ends in n is one customer after other articles.
_GERMAN_MANY = re.compile(r"(?i)\b(?:zu(?: den)?|(?:an|für)(?: die)?)\s+(\w+n)\b")
_SCRIPT = re.compile(f"[{SCRIPT_WITHOUT_SPACES}]")
_SPACE_IN_SCRIPT = re.compile(
    rf"(?<=[{SCRIPT_WITHOUT_SPACES}])\s+|\s+(?=[{SCRIPT_WITHOUT_SPACES}])"
)
_TO_WITHOUT_SPACE = re.compile(rf"(?i)\bto(?=[{SCRIPT_WITHOUT_SPACES}])")
_OTHER_EVERYONE = re.compile(f"(?i){EVERYONE}")
_OTHER = (
    r"[^\x00-\x7f]|\b(?:zu|an|nur|pour|aux?|a|al|para|zum|zur|für|susurr|chuchot|murmur|en|in|"
    r"solo|seul|juste|rien|vertraulich|"
    r"heimlich|unter)"
)
_OTHER_LETTERS = re.compile(f"(?i){_OTHER}")
_LONGEST_ADDRESSED = 200  # characters of a mark in the other languages
_PERHAPS = re.compile(  # most directions are none, and are not looked at further
    rf"(?i)\b(?:to|{'|'.join(sorted(PRIVATELY | ONLY))})\b|->|→|{LOW_VOICE}|{HEARING}|{ASIDE}|"
    rf"{_OTHER}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a direction says about whom words are for."""

    to: tuple[str, ...] | None  # seats; empty: everybody; None: it is not clear
    speech: str = ""  # said inside the mark: `to Ida: the key is under the mat`
    # what it tells besides, for where nothing is said: `whispers to Ida about the key`
    act: str = ""


UNCLEAR = Mark(to=None)


class Marks:
    """Reads directions as one seat writes them."""

    def __init__(self, names: PeopleNames) -> None:
        self.table = PeoplePresent(names)
        self._own = re.compile(
            rf"(?i)[*_]{{0,3}}(?:(?:{any_label(names.own)})(?![^\W_])|{SUBJECT}\b)[*_]{{0,3}}\s*[,:：、"
            r"，]?\s*"
        )

    def label(self, manner: str) -> Mark | None:
        """The mark between a seat's own name and what it says, or None: `(to Ida)`, `, whispering
        to Ida`.
        """
        text = _bare(manner)
        return self._read(text, boundary=True) if text else None

    def direction(self, inner: str, *, boundary: bool, first: bool) -> Mark | None:
        """The mark that a direction is, or None.

        Args:
            inner: what it says, without its brackets.
            boundary: it stands between sentences, or begins or ends the reply.
            first: it stands in brackets, and nothing was said before it.
        """
        bare = _bare(inner)
        text = self._own.sub("", bare, count=1) if self._own.match(bare) else bare
        if not text:
            return None
        mark = self._read(text, boundary)
        if mark is None and first and self.table.named(text) != ():
            # `(Ida) …`: said to her, or by her?
            return (
                None
                if MEANING.search(_OTHER_BESIDE.sub(" ", self.table.without_names(text)))
                else UNCLEAR
            )
        return mark

    def _read(self, text: str, boundary: bool) -> Mark | None:
        text = _TO_WITHOUT_SPACE.sub("to ", text)
        if not _PERHAPS.search(text):
            return None
        return (
            self._to(text, boundary)
            or self._without_to(text, boundary)
            or self._other_language(text, boundary)
        )

    def _to(self, text: str, boundary: bool) -> Mark | None:
        # `to Ida`, `quietly, to Ida`, `leans over and whispers to Ida`; but not `nods to Ida`
        tokens = list(_TOKEN.finditer(text))
        words = [token.group().casefold() for token in tokens]
        low = bool(_LOW_VOICE.search(text))
        for place in islice((place for place, word in enumerate(words) if word in _TO), 4):
            before = words[:place]
            only_manners = _manners(before)
            clause = list(takewhile(lambda word: word not in _PAUSES, reversed(before)))
            if not (low or (_manners(clause) and not (clause and clause[0] in _MOVING))):
                continue
            addressed = self.table.addressed(text[tokens[place].end() :].lstrip(" :"))
            explicit = low or "only" in before or not PRIVATELY.isdisjoint(before)
            if addressed is None and not (explicit and boundary):
                continue
            addressed = addressed or UNKNOWN
            pure = only_manners and _manners(_TOKEN.findall(addressed.tail))
            return Mark(to=addressed.to, speech=addressed.speech, act="" if pure else text)
        return None

    def _without_to(self, text: str, boundary: bool) -> Mark | None:
        # `only Ida can hear`, `Ida only`, `private: Ida`, `whispers in Ida's ear`, `pulls Ida
        # aside`, `whispers`
        low, hearing = bool(_LOW_VOICE.search(text)), bool(_HEARING.search(text))
        words = [word.casefold() for word in _TOKEN.findall(text)]
        private = not PRIVATELY.isdisjoint(words)
        if not (low or hearing or private or _ASIDE.search(text) or not ONLY.isdisjoint(words)):
            return None
        seats = self.table.named(text)
        rest = [
            word for word in _TOKEN.findall(self.table.without_names(text)) if not _manners([word])
        ]
        strangers = [
            w for w in rest[:12] if w != "I" and (w[0].isupper() or self.table.resembles(w))
        ]
        if seats == ():
            if not (boundary or low) or not (len(self.table.seats) > 1 or strangers):
                return None
            named_wrongly = strangers and (hearing or words[0] in PRIVATELY)
            return UNCLEAR if low or named_wrongly or (not rest and (hearing or private)) else None
        secretly = not (PRIVATELY - {"aside", "confidence", "private", "secret"}).isdisjoint(words)
        if rest and not (low or hearing or secretly or _ASIDE.search(text)):
            return None
        if _NOT_HEARING.search(text) or (strangers and (low or hearing)):
            return UNCLEAR
        return Mark(to=seats, act=text if rest else "")

    def _other_language(self, text: str, boundary: bool) -> Mark | None:
        if not _OTHER_LETTERS.search(text):
            return None
        whispers = bool(_OTHER_WHISPERS.search(text))
        head, _, speech = text.replace("：", ":").partition(":")
        head = _SPACE_IN_SCRIPT.sub("", head)
        many = _GERMAN_MANY.search(head)
        if many and self.table.knows(many[1][:-1], many[1][:-2]):
            return UNCLEAR
        for pattern, beside in _OTHER_ADDRESSED if len(head) <= _LONGEST_ADDRESSED else ():
            match = pattern.fullmatch(head.strip(" ,،、"))
            phrase = next(filter(None, match.groups()), "") if match else ""
            if phrase and (mark := self._named_addressees(phrase, whispers, beside)):
                return Mark(to=mark.to, speech=speech.strip())
        if (
            boundary
            and len(head) <= _LONGEST_ADDRESSED
            and _OTHER_NAME_LIKE.fullmatch(head.strip())
        ):
            return UNCLEAR
        if not whispers:
            return None
        if seats := self.table.named(text):
            return Mark(to=seats, act=text)
        return UNCLEAR if len(self.table.seats) > 1 and boundary else None

    def _named_addressees(
        self, phrase: str, whispers: bool, beside: re.Pattern[str]
    ) -> Mark | None:
        if _OTHER_EVERYONE.fullmatch(phrase):
            return Mark(to=())
        if _OTHER_SOMEBODY.fullmatch(phrase):
            return Mark(to=self.table.only or None)
        seats = self.table.named(phrase)
        left = beside.sub(" ", self.table.without_names(phrase))
        if seats and not MEANING.search(left):
            return Mark(to=seats)
        if "," in phrase and not whispers:  # `Tomas, der lacht`, but no `apple, offered to Tomas`
            first = phrase.partition(",")[0]
            somebody = self.table.named(first) != () and not MEANING.search(
                beside.sub(" ", self.table.without_names(first))
            )
            return UNCLEAR if somebody else None
        # `高个子买家`, no `买家点头`
        ends_with_name = bool(seats and _SCRIPT.search(phrase)) and left.endswith(" ")
        unclear = whispers or seats is None or ends_with_name or self.table.resembles(phrase)
        return UNCLEAR if unclear else None


def _manners(words: Sequence[str]) -> bool:
    return all(
        word.casefold() in MANNERS or word.endswith("ly") or not word.isalnum() for word in words
    )


def _bare(text: str) -> str:
    # `(*to Ida*)` → `to Ida`; a name keeps its own brackets: `to Ann (Buyer)`
    text = " ".join(text.split())
    text = text.lstrip(_OPENED).rstrip(' *_"“”,')
    closed = sum(map(text.count, CLOSING)) - sum(map(text.count, PAIRED))
    while closed > 0 and text[-1:] in CLOSING:
        kept = len(text) - len(text.rstrip("".join(CLOSING)))
        text, closed = (
            text[: len(text) - min(kept, closed)].rstrip(' *_"“”,'),
            closed - min(kept, closed),
        )
    return text
