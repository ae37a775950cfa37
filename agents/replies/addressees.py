"""Whom the words after "to" mean: seats, everybody, nobody at all (`to be honest`), or somebody
unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from agents.replies.name_forms import spelling_pattern
from agents.replies.people_names import PeopleNames, fold_name, is_misspelt, whole_label
from agents.replies.privacy_words import (
    ALSO_NAMES,
    ARTICLES,
    BOTH,
    EVERYONE,
    EXCEPT,
    FUNCTION_WORDS,
    HONORIFICS,
    KINSHIP,
    MANNERS,
    NON_PERSON_ENDINGS,
    PERSON_NOUNS,
    PRONOUN,
    REFLEXIVE,
    THING_NOUNS,
    VERBS,
)

_SPACE = re.compile(r"[\s\"“”'‘’«»„*_@]*")
_LIST_SEPARATOR = re.compile(
    r"\s*[\"”'’*_]*\s*(?:,\s*(?:and\b)?|&|\+|/|;|、|،|和|及|与|跟|と|و(?=\S)|"
    r"\b(?:and|und|et|y|e|o|or|plus|as well as)\b)\s*(?:also\s+)?(?:to\s+)?"
)
_POSSESSIVE = re.compile(r"(?:['’]s?)\s+(?P<of>[^\s,.;:!?]+)")
_EAR_OR_FACE = re.compile(r"(?:(?:left|right|own)\s+)?(?:ears?|eyes|face)$")
_COLON_BEFORE_SPEECH = re.compile(r"\s*[\"”’*_]*\s*(?:[:：]|,\s*(?=[\"“„«「]))\s*")
_EVERYONE = re.compile(rf"(?i){EVERYONE}(?!\w)")
_BOTH = re.compile(rf"(?i){BOTH}(?!\w)")
_EXCEPT = re.compile(rf"(?i){EXCEPT}")
_ONESELF = re.compile(rf"(?i){REFLEXIVE}(?!\w)")
_PRONOUN = re.compile(
    rf"(?i){PRONOUN}(?=\W*$|\s*[,.;:!?—-]|\s+(?:only|alone|quietly|softly|privately|directly)\b)"
)
_ONE_OF = re.compile(
    r"(?i)(?:one|some|any|each|either|none|two) of (?:them|you|us|the|my|your|her|his)\b"
)
_CLAUSE_END = re.compile(r"[,;:!?()\n—–]|\.\s")
_NOUN_PHRASE_END = re.compile(
    r"(?i)\b(?:of|in|at|on|with|by|from|who|that|which|near|behind|for|as|and|or|where|when|"
    r"while)\b"
)
_NOTHING = r"(?!)"  # matches nothing
_WORD = re.compile(r"[^\W_](?:[\w'’-]*[^\W_])?")
_DETERMINERS = frozenset({"a", "the", "her", "his", "my", "their"})
_KINSHIP_WORDS = frozenset(word for words in KINSHIP.values() for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressees:
    """Whom a phrase means."""

    # seats; empty: everybody; None: somebody who cannot be made out
    to: tuple[str, ...] | None = None
    speech: str = ""  # what the phrase goes on to say: `Ida: the key is under the mat`
    tail: str = ""  # whatever else follows


UNKNOWN_ADDRESSEE = Addressees()


class PeoplePresent:
    """Everybody at the table, as one seat calls them."""

    def __init__(self, names: PeopleNames) -> None:
        self.seats = names.seats
        seats_by_spelling = names.seats_by_name()
        self._seats_by_name = {fold_name(word): seats for word, seats in seats_by_spelling.items()}
        own = [name for name in names.own if fold_name(name) not in self._seats_by_name]
        self._own_name = re.compile(rf"(?i)(?:{whole_label(own)})" if own else _NOTHING)
        ambiguous = [word for word in self._seats_by_name if word in ARTICLES | FUNCTION_WORDS]
        pattern = whole_label(
            {
                word
                for word in (*seats_by_spelling, *self._seats_by_name)
                if fold_name(word) not in ambiguous
            }
        )
        # `A`, but no `a`
        capitalised = whole_label([*map(str.upper, ambiguous), *map(str.capitalize, ambiguous)])
        pattern = "|".join(filter(None, (pattern, f"(?-i:{capitalised})" if capitalised else "")))
        self._other_name = re.compile(rf"(?i)(?:{pattern})" if pattern else _NOTHING)
        self._name_parts = [word for name in self._seats_by_name for word in name.split()]

    @property
    def only_other_seat(self) -> tuple[str, ...]:
        """The other seat where there is just one."""
        return tuple(self.seats) if len(self.seats) == 1 else ()

    def is_name(self, *words: str) -> bool:
        """Whether one of the words is how somebody here is called."""
        return any(fold_name(word) in self._seats_by_name for word in words)

    def seats_named_in(self, text: str) -> tuple[str, ...] | None:
        """The seats that a text names, in order; None where a name may mean two."""
        meanings = [self._seats_meant(match) for match in self._other_name.finditer(text)]
        return (
            None
            if any(len(seats) != 1 for seats in meanings)
            else tuple(dict.fromkeys(s for seats in meanings for s in seats))
        )

    def without_names(self, text: str) -> str:
        """The text with its names of others taken out."""
        return self._other_name.sub(" ", text)

    def resembles_name(self, phrase: str) -> bool:
        """Whether one of the first words is a name here, misspelt."""
        words = (
            word
            for word in phrase.split()[:4]
            if not (_is_thing_noun(word) or word.casefold() in VERBS | FUNCTION_WORDS)
        )
        return any(is_misspelt(word, self._name_parts) for word in words)

    def read_addressees(self, phrase: str) -> Addressees | None:
        """Whom a phrase after "to" means; None where it means nobody: `be honest`, `my mind`,
        `Bob's surprise`.
        """
        at = _skip_space(phrase, 0)
        start = self._skip_article(phrase, at)
        if everyone := _EVERYONE.match(phrase, start) or _EVERYONE.match(phrase, at):
            return self._read_exception(phrase, everyone.end())
        if both := _BOTH.match(phrase, at):
            return _finish_addressees(() if len(self.seats) == 2 else None, phrase, both.end())
        if _ONESELF.match(phrase, at):
            return UNKNOWN_ADDRESSEE
        if pronoun := _PRONOUN.match(phrase, at):
            return _finish_addressees(self.only_other_seat or None, phrase, pronoun.end())
        if not self._other_name.match(phrase, start):
            own_name = self._own_name.match(phrase, start)
            is_person = own_name is not None and not _owns_no_person(phrase, own_name)
            return UNKNOWN_ADDRESSEE if is_person or self._may_be_person(phrase, at) else None
        return self._read_seats(phrase, start)

    def _seats_meant(self, match: re.Match[str]) -> frozenset[str]:
        word = fold_name(match.group())
        if word in self._seats_by_name:
            return self._seats_by_name[word]
        spelled = (
            seats
            for name, seats in self._seats_by_name.items()
            if re.fullmatch(spelling_pattern(name), word)
        )
        return frozenset().union(*spelled)

    def _skip_article(self, phrase: str, at: int) -> int:
        # Past "the", "my dear", "Mrs.", unless that is how somebody is called.
        while not self._other_name.match(phrase, at):
            word = _WORD.match(phrase, at)
            if not word:
                break
            after = _skip_space(phrase, word.end() + phrase.startswith(".", word.end()))
            skipped = word.group().casefold()
            name_follows = self._other_name.match(phrase, after)
            if skipped not in ARTICLES | HONORIFICS and not (
                name_follows and _is_person_noun(skipped)
            ):
                break
            if after >= len(phrase):
                break
            at = after
        return at

    def _read_exception(self, phrase: str, at: int) -> Addressees:
        if but := _EXCEPT.match(phrase, at):
            left_out = self._read_seats(phrase, self._skip_article(phrase, but.end()))
            if not left_out or not left_out.to:
                return UNKNOWN_ADDRESSEE
            kept = tuple(seat for seat in sorted(self.seats) if seat not in left_out.to)
            return Addressees(to=kept or None, speech=left_out.speech, tail=left_out.tail)
        addressed = _finish_addressees((), phrase, at)
        return UNKNOWN_ADDRESSEE if _EXCEPT.search(f" {addressed.tail}") else addressed

    def _read_seats(self, phrase: str, at: int) -> Addressees | None:
        to: list[str] = []
        while True:
            match = self._other_name.match(phrase, at)
            if match is None or len(seats := self._seats_meant(match)) != 1:
                return UNKNOWN_ADDRESSEE
            at = match.end()
            again = self._other_name.match(phrase, _skip_space(phrase, at))
            if again and self._seats_meant(again) == seats and phrase[at : again.start()].isspace():
                at = again.end()  # `my friend Ida`
            if possessive := _POSSESSIVE.match(phrase, at):
                if not _EAR_OR_FACE.match(possessive.group("of").casefold()):
                    return (
                        UNKNOWN_ADDRESSEE if to or _is_person_noun(possessive.group("of")) else None
                    )
                at = possessive.end()
            to += seats
            another = _LIST_SEPARATOR.match(phrase, at)
            start = (
                self._skip_article(phrase, _skip_space(phrase, another.end())) if another else at
            )
            if another and self._other_name.match(phrase, start):
                at = start
                continue
            if (
                another
                and not _COLON_BEFORE_SPEECH.match(phrase, at)
                and self._joins_person(another.group(), phrase[another.end() :])
            ):
                return UNKNOWN_ADDRESSEE
            addressed = _finish_addressees(tuple(dict.fromkeys(to)), phrase, at)
            return UNKNOWN_ADDRESSEE if _continues_name(addressed.tail) else addressed

    def _joins_person(self, by: str, rest: str) -> bool:
        # `Ida and Zed`, `Ida, Zed`, `Ida, the waiter`; but `Ida, quietly`, `Ida, while Bob looks
        # away`
        word = _WORD.search(rest)
        if word is None or word.group().casefold() in MANNERS - _DETERMINERS:
            return False
        if "," not in by:
            return True
        return self._may_be_person(rest, word.start()) and (
            word.group()[0].isupper() or word.group().casefold() in ARTICLES | PERSON_NOUNS
        )

    def _may_be_person(self, phrase: str, at: int) -> bool:
        # A name that nobody here has, or a role; in doubt yes, since the words may be a secret.
        if phrase[at : at + 1] in {"[", "{", "<"} or _ONE_OF.match(phrase, at):
            return True
        group = _CLAUSE_END.split(phrase[at:], maxsplit=1)[0]
        words = [match.group() for match in islice(_WORD.finditer(group), 8)]
        while words and words[-1].casefold() in MANNERS - ARTICLES and len(words) > 1:
            words.pop()
        if not words:
            return not _WORD.search(phrase, at)  # `(to …)`
        first = words[0].casefold()
        owner, possessive, _ = words[0].replace("’", "'").partition("'s")
        if possessive or words[0].endswith(("s'", "s’")):
            return (
                len(words) > 1
                and _is_person_noun(words[1])
                and owner.casefold() not in {"that", "it", "let", "what"}
            )
        if first in ARTICLES and len(words) > 1:
            return self._head_is_person(group)
        if words[0].istitle() and first in ALSO_NAMES:
            return True
        if (first in VERBS or _is_thing_noun(first)) and not _is_person_noun(first):
            return False
        if any(char.isdigit() for char in words[0]):
            return False
        if words[0][0].isupper() or _is_person_noun(first) or self.resembles_name(" ".join(words)):
            return True
        if len(words) == 1:
            return not first.endswith((*NON_PERSON_ENDINGS, "ly"))
        return len(words) == 2 and not (
            words[1].casefold() in FUNCTION_WORDS
            or _is_thing_noun(words[1])
            or first.endswith(NON_PERSON_ENDINGS)
        )

    def _head_is_person(self, group: str) -> bool:
        head = next(filter(str.strip, _NOUN_PHRASE_END.split(group)), "")
        words = [word for word in _WORD.findall(head) if word.casefold() not in ARTICLES]
        if not words:
            return bool(re.search(r"(?i)\bone\b", head))  # `the one in red`
        last = words[-1].casefold()
        if _is_person_noun(last) or (
            not _is_thing_noun(last) and self.resembles_name(" ".join(words))
        ):
            return True
        return not _is_thing_noun(last) and not last.endswith(NON_PERSON_ENDINGS)


@lru_cache(maxsize=256)
def _is_person_noun(word: str) -> bool:
    word = word.casefold()
    singular = word[:-1] if word.endswith("s") else word
    return bool({word, singular} & (PERSON_NOUNS | _KINSHIP_WORDS)) or word in HONORIFICS


def _is_thing_noun(word: str) -> bool:
    word = word.casefold()
    return word in THING_NOUNS or word.removesuffix("s") in THING_NOUNS


def _skip_space(phrase: str, at: int) -> int:
    space = _SPACE.match(phrase, at)
    return space.end() if space else at


def _owns_no_person(phrase: str, name: re.Match[str]) -> bool:
    of = _POSSESSIVE.match(phrase, name.end())
    return bool(of and not _is_person_noun(of.group("of")))


def _continues_name(tail: str) -> bool:
    # `Ida Holms`: the word after the name belongs to it.
    word = _WORD.match(tail.lstrip(" "))
    return bool(
        word and word.group()[0].isupper() and word.group().casefold() not in MANNERS | {"i"}
    )


def _finish_addressees(to: tuple[str, ...] | None, phrase: str, at: int) -> Addressees:
    if speech := _COLON_BEFORE_SPEECH.match(phrase, at):
        return Addressees(to=to, speech=phrase[speech.end() :].strip())
    return Addressees(to=to, tail=phrase[at:].strip(" \"“”'‘’*_."))
