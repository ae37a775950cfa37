"""What one stage direction says about privacy: `to Ida`, `whispers in Ida's ear`, `only Ida can
hear`, `to be honest`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from agents.replies.addressees import UNKNOWN_ADDRESSEE, PeoplePresent
from agents.replies.direction_patterns import (
    EVERYONE_ELSEWHERE,
    MORE_ADDRESSEES,
    NAME_LIKE_PATTERN,
    OTHER_LANGUAGES,
    PRONOUNS_ELSEWHERE,
    TO_ROLE_PATTERNS,
)
from agents.replies.direction_patterns import MANNERS_PATTERN as OTHER_MANNERS
from agents.replies.name_forms import SCRIPT_WITHOUT_SPACES
from agents.replies.people_names import PeopleNames, any_label
from agents.replies.privacy_words import (
    ASIDE,
    HEARING,
    LOW_VOICE,
    MANNERS,
    NOT_HEARING,
    ONLY,
    PRIVACY_WORDS,
)
from agents.replies.stage_directions import ALL_BRACKETS, OPENING_BY_CLOSING

# a letter, a digit or an emoji
MEANINGFUL = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")
SUBJECT_PRONOUN = r"(?:she|he|they|i)"
_LOW_VOICE = re.compile(f"(?i){LOW_VOICE}")
_HEARING = re.compile(f"(?i){HEARING}")
_NOT_HEARING = re.compile(f"(?i){NOT_HEARING}")
_ASIDE = re.compile(f"(?i){ASIDE}")
_TO = frozenset(["to", "→", "->"])
_PAUSE_SIGNS = frozenset(",;—–-")
# `leans over to Ida`
_MOVEMENT_WORDS = frozenset(
    ["back", "close", "closer", "in", "lean", "leaning", "leans", "over", "up"]
)
_TOKEN = re.compile(r"[^\W_]+|->|→|[,;:：—–-]")
_OPENING_SIGNS = "".join(ALL_BRACKETS) + ' *_"“”'

_OTHER_WHISPERS = re.compile("(?i)" + "|".join(words.whispers for words in OTHER_LANGUAGES))
_OTHER_ADDRESSED = [
    (re.compile(f"(?i){words.addressed}"), re.compile(f"(?i){words.beside}|[、،,&;\\s]"))
    for words in OTHER_LANGUAGES
]
_OTHER_SOMEBODY = re.compile(f"(?i){PRONOUNS_ELSEWHERE}")
_OTHER_NAME_LIKE = re.compile(
    f"(?i:{OTHER_MANNERS})?(?:{'|'.join([NAME_LIKE_PATTERN, *TO_ROLE_PATTERNS])})" + MORE_ADDRESSEES
)
_OTHER_BESIDE = re.compile("(?i)" + "|".join(words.beside for words in OTHER_LANGUAGES))
# "To the customers", as German has them: what ends in n is one customer after other articles.
_GERMAN_PLURAL_ADDRESSEE = re.compile(r"(?i)\b(?:zu(?: den)?|(?:an|für)(?: die)?)\s+(\w+n)\b")
_SPACELESS_SCRIPT = re.compile(f"[{SCRIPT_WITHOUT_SPACES}]")
_SPACE_IN_SCRIPT = re.compile(
    rf"(?<=[{SCRIPT_WITHOUT_SPACES}])\s+|\s+(?=[{SCRIPT_WITHOUT_SPACES}])"
)
_TO_WITHOUT_SPACE = re.compile(rf"(?i)\bto(?=[{SCRIPT_WITHOUT_SPACES}])")
_OTHER_EVERYONE = re.compile(f"(?i){EVERYONE_ELSEWHERE}")
_OTHER_LANGUAGE_WORD = (
    r"[^\x00-\x7f]|\b(?:zu|an|nur|pour|aux?|a|al|para|zum|zur|für|susurr|chuchot|murmur|en|in|"
    r"solo|seul|juste|rien|vertraulich|"
    r"heimlich|unter)"
)
_OTHER_LANGUAGE = re.compile(f"(?i){_OTHER_LANGUAGE_WORD}")
_MAX_ADDRESSEE_CHARS = 200  # characters of a mark in the other languages
_MAY_BE_MARK = re.compile(  # most directions are none, and are not looked at further
    rf"(?i)\b(?:to|{'|'.join(sorted(PRIVACY_WORDS | ONLY))})\b|->|→|"
    rf"{LOW_VOICE}|{HEARING}|{ASIDE}|{_OTHER_LANGUAGE_WORD}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a direction says about whom words are for."""

    to: tuple[str, ...] | None  # seats; empty: everybody; None: it is not clear
    speech: str = ""  # said inside the mark: `to Ida: the key is under the mat`
    # what it tells besides, for where nothing is said: `whispers to Ida about the key`
    act: str = ""


UNCLEAR = Mark(to=None)


class MarkParser:
    """Reads directions as one seat writes them."""

    def __init__(self, names: PeopleNames) -> None:
        self.people = PeoplePresent(names)
        self._own_subject = re.compile(
            rf"(?i)[*_]{{0,3}}(?:(?:{any_label(names.own)})(?![^\W_])|{SUBJECT_PRONOUN}\b)[*_]{{0,3}}\s*[,:：、"
            r"，]?\s*"
        )

    def parse_label(self, manner: str) -> Mark | None:
        """The mark between a seat's own name and what it says, or None: `(to Ida)`, `, whispering
        to Ida`.
        """
        text = _strip_brackets(manner)
        return self._parse(text, at_boundary=True) if text else None

    def parse_direction(self, inner: str, *, at_boundary: bool, opens_reply: bool) -> Mark | None:
        """The mark that a direction is, or None.

        Args:
            inner: what it says, without its brackets.
            at_boundary: it stands between sentences, or begins or ends the reply.
            opens_reply: it stands in brackets, and nothing was said before it.
        """
        bare = _strip_brackets(inner)
        text = self._own_subject.sub("", bare, count=1) if self._own_subject.match(bare) else bare
        if not text:
            return None
        mark = self._parse(text, at_boundary)
        if mark is None and opens_reply and self.people.seats_named_in(text) != ():
            # `(Ida) …`: said to her, or by her?
            return (
                None
                if MEANINGFUL.search(_OTHER_BESIDE.sub(" ", self.people.without_names(text)))
                else UNCLEAR
            )
        return mark

    def _parse(self, text: str, at_boundary: bool) -> Mark | None:
        text = _TO_WITHOUT_SPACE.sub("to ", text)
        if not _MAY_BE_MARK.search(text):
            return None
        return (
            self._parse_to(text, at_boundary)
            or self._parse_without_to(text, at_boundary)
            or self._parse_other_language(text, at_boundary)
        )

    def _parse_to(self, text: str, at_boundary: bool) -> Mark | None:
        # `to Ida`, `quietly, to Ida`, `leans over and whispers to Ida`; but not `nods to Ida`
        tokens = list(_TOKEN.finditer(text))
        words = [token.group().casefold() for token in tokens]
        low = bool(_LOW_VOICE.search(text))
        for index in islice((index for index, word in enumerate(words) if word in _TO), 4):
            words_before = words[:index]
            manners_before = _only_manners(words_before)
            clause = list(takewhile(lambda word: word not in _PAUSE_SIGNS, reversed(words_before)))
            if not (
                low or (_only_manners(clause) and not (clause and clause[0] in _MOVEMENT_WORDS))
            ):
                continue
            addressees = self.people.read_addressees(text[tokens[index].end() :].lstrip(" :"))
            explicit = low or "only" in words_before or not PRIVACY_WORDS.isdisjoint(words_before)
            if addressees is None and not (explicit and at_boundary):
                continue
            addressees = addressees or UNKNOWN_ADDRESSEE
            only_manner = manners_before and _only_manners(_TOKEN.findall(addressees.tail))
            return Mark(to=addressees.to, speech=addressees.speech, act="" if only_manner else text)
        return None

    def _parse_without_to(self, text: str, at_boundary: bool) -> Mark | None:
        # `only Ida can hear`, `Ida only`, `private: Ida`, `whispers in Ida's ear`, `pulls Ida
        # aside`, `whispers`
        low, hearing = bool(_LOW_VOICE.search(text)), bool(_HEARING.search(text))
        words = [word.casefold() for word in _TOKEN.findall(text)]
        private = not PRIVACY_WORDS.isdisjoint(words)
        if not (low or hearing or private or _ASIDE.search(text) or not ONLY.isdisjoint(words)):
            return None
        seats = self.people.seats_named_in(text)
        rest = [
            word
            for word in _TOKEN.findall(self.people.without_names(text))
            if not _only_manners([word])
        ]
        strangers = [
            w for w in rest[:12] if w != "I" and (w[0].isupper() or self.people.resembles_name(w))
        ]
        if seats == ():
            if not (at_boundary or low) or not (len(self.people.seats) > 1 or strangers):
                return None
            named_wrongly = strangers and (hearing or words[0] in PRIVACY_WORDS)
            return UNCLEAR if low or named_wrongly or (not rest and (hearing or private)) else None
        secretly = not (PRIVACY_WORDS - {"aside", "confidence", "private", "secret"}).isdisjoint(
            words
        )
        if rest and not (low or hearing or secretly or _ASIDE.search(text)):
            return None
        if _NOT_HEARING.search(text) or (strangers and (low or hearing)):
            return UNCLEAR
        return Mark(to=seats, act=text if rest else "")

    def _parse_other_language(self, text: str, at_boundary: bool) -> Mark | None:
        if not _OTHER_LANGUAGE.search(text):
            return None
        whispers = bool(_OTHER_WHISPERS.search(text))
        addressing, _, speech = text.replace("：", ":").partition(":")
        addressing = _SPACE_IN_SCRIPT.sub("", addressing)
        plural = _GERMAN_PLURAL_ADDRESSEE.search(addressing)
        if plural and self.people.is_name(plural[1][:-1], plural[1][:-2]):
            return UNCLEAR
        for pattern, beside in _OTHER_ADDRESSED if len(addressing) <= _MAX_ADDRESSEE_CHARS else ():
            match = pattern.fullmatch(addressing.strip(" ,،、"))
            phrase = next(filter(None, match.groups()), "") if match else ""
            if phrase and (mark := self._parse_named_addressees(phrase, whispers, beside)):
                return Mark(to=mark.to, speech=speech.strip())
        if (
            at_boundary
            and len(addressing) <= _MAX_ADDRESSEE_CHARS
            and _OTHER_NAME_LIKE.fullmatch(addressing.strip())
        ):
            return UNCLEAR
        if not whispers:
            return None
        if seats := self.people.seats_named_in(text):
            return Mark(to=seats, act=text)
        return UNCLEAR if len(self.people.seats) > 1 and at_boundary else None

    def _parse_named_addressees(
        self, phrase: str, whispers: bool, beside: re.Pattern[str]
    ) -> Mark | None:
        if _OTHER_EVERYONE.fullmatch(phrase):
            return Mark(to=())
        if _OTHER_SOMEBODY.fullmatch(phrase):
            return Mark(to=self.people.only_other_seat or None)
        seats = self.people.seats_named_in(phrase)
        other_words = beside.sub(" ", self.people.without_names(phrase))
        if seats and not MEANINGFUL.search(other_words):
            return Mark(to=seats)
        if "," in phrase and not whispers:  # `Tomas, der lacht`, but no `apple, offered to Tomas`
            first = phrase.partition(",")[0]
            somebody = self.people.seats_named_in(first) != () and not MEANINGFUL.search(
                beside.sub(" ", self.people.without_names(first))
            )
            return UNCLEAR if somebody else None
        # `高个子买家`, no `买家点头`
        ends_with_name = bool(seats and _SPACELESS_SCRIPT.search(phrase)) and other_words.endswith(
            " "
        )
        unclear = whispers or seats is None or ends_with_name or self.people.resembles_name(phrase)
        return UNCLEAR if unclear else None


def _only_manners(words: Sequence[str]) -> bool:
    return all(
        word.casefold() in MANNERS or word.endswith("ly") or not word.isalnum() for word in words
    )


def _strip_brackets(text: str) -> str:
    # `(*to Ida*)` → `to Ida`; a name keeps its own brackets: `to Ann (Buyer)`
    text = " ".join(text.split())
    text = text.lstrip(_OPENING_SIGNS).rstrip(' *_"“”,')
    closed = sum(map(text.count, OPENING_BY_CLOSING)) - sum(map(text.count, ALL_BRACKETS))
    while closed > 0 and text[-1:] in OPENING_BY_CLOSING:
        kept = len(text) - len(text.rstrip("".join(OPENING_BY_CLOSING)))
        text, closed = (
            text[: len(text) - min(kept, closed)].rstrip(' *_"“”,'),
            closed - min(kept, closed),
        )
    return text
