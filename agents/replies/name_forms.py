"""The forms that a name takes in a sentence: articles and endings that are written together with
it, surnames with a title.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

SCRIPT_WITHOUT_SPACES = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
)
CHINESE_TITLES = (
    "先生|女士|小姐|太太|夫人|老师|老師|师傅|師傅|同学|同學|"
    "阿姨|叔叔|大哥|大姐|老板|老闆|医生|醫生|经理|經理|总|總"
)
# Before an Arabic word, written together with it: "and", "to", "to the".
ARABIC_PREFIXES = ("و", "ف", "ل", "ول", "لل", "ولل", "لـ")
_ARABIC = re.compile("[\u0620-\u064a\u0671-\u06d3]")
# and the stroke that lengthens a word: written or not, as one likes
_ARABIC_VOWELS = "[\u064b-\u0652\u0670\u0640]*"
_ARABIC_ARTICLE = "ال"
_ARABIC_LETTERS = {**dict.fromkeys("اأإآٱ", "[اأإآٱ]"), "ى": "[ىي]", "ي": "[ىي]", "ه": "[ةه]"}
_CHINESE_CHARACTERS = re.compile("[\u3400-\u9fff]+")
_TWO_LETTER_SURNAMES = re.compile(
    "欧阳|歐陽|司马|司馬|诸葛|諸葛|上官|司徒|夏侯|皇甫|尉迟|公孙|慕容|令狐"
)
_GERMAN_WEAK_NOUN = re.compile(
    r"(?:ant|ent|ist|at|et|ot|nom|graf|graph|log|soph|mensch|held|prinz|fürst|christ)$"
)
_GERMAN_WEAK_NOUN_ENDINGS = ("herr", "nachbar", "bauer")


def spelling_pattern(label: str) -> str:
    """A pattern for a label as replies spell it.

    Either apostrophe; between letters of a script without spaces a space or none; Arabic with or
    without article, vowels and hamza, and as "my" or "our".
    """
    words = " ".join(unicodedata.normalize("NFC", label).split()).split(" ")
    text = " ".join(
        _arabic_pattern(word) if _ARABIC.search(word) else re.escape(word) for word in words
    )
    text = re.sub(rf"(?<=[{SCRIPT_WITHOUT_SPACES}]) (?=[{SCRIPT_WITHOUT_SPACES}])", r"\\s?", text)
    return re.sub("['’]", "['’]", text)


def inflected_forms(name: str, language: str, *, occupations: Iterable[str] = ()) -> Iterable[str]:
    """Other forms of a person's name or a role in a language; nothing in those that leave words as
    they are.

    Args:
        name: a full name, or a role.
        language: code of the language that is spoken.
        occupations: what the person does: in Chinese it follows the surname.
    """
    if language == "de":
        yield from _german_forms(name)
    elif language == "zh" and 2 <= len(name) <= 4 and _CHINESE_CHARACTERS.fullmatch(name):
        surname = name[: 2 if _TWO_LETTER_SURNAMES.match(name) else 1]
        given_name = name[len(surname) :]
        yield from (given_name,) if len(given_name) > 1 else ()
        yield from (
            surname + title
            for title in [
                *CHINESE_TITLES.split("|"),
                *filter(_CHINESE_CHARACTERS.fullmatch, occupations),
            ]
        )
        yield from (before + surname for before in "老小阿")
    elif language == "ja" and len(name) == 4 and _CHINESE_CHARACTERS.fullmatch(name):
        yield from (name[:2], name[2:])


def _german_forms(name: str) -> Iterable[str]:
    # Cases: dem Kunden, dem Nachbarn, dem Studenten, dem Angestellten; des Käufers, des Wirtes.
    word = name.casefold()
    if word.endswith("e") or word.endswith(_GERMAN_WEAK_NOUN_ENDINGS):
        yield f"{name}n"
    elif _GERMAN_WEAK_NOUN.search(word):
        yield f"{name}en"
    elif word.endswith("er"):
        yield f"{name[:-1]}n"
    if not word.endswith("s"):
        yield from (f"{name}s", f"{name}es")


def _arabic_pattern(word: str) -> str:
    bare = re.sub(_ARABIC_VOWELS, "", word)
    article = ""
    if not bare.startswith(_ARABIC_ARTICLE):
        article = f"(?:{_ARABIC_ARTICLE})?"
    elif len(bare) >= 5:  # not of Allah
        article, bare = f"(?:{_ARABIC_ARTICLE})?", bare.removeprefix(_ARABIC_ARTICLE)
    last = bare[-1]
    ending = "(?:[ةه]|ت(?:ي|نا))" if last == "ة" else _arabic_letter_pattern(last)
    if len(bare) > 2 and last not in "ةهاىي":
        ending += f"{_ARABIC_VOWELS}(?:ي|نا)?"
    return (
        article
        + "".join(_arabic_letter_pattern(letter) + _ARABIC_VOWELS for letter in bare[:-1])
        + ending
        + _ARABIC_VOWELS
    )


def _arabic_letter_pattern(letter: str) -> str:
    return _ARABIC_LETTERS.get(letter, re.escape(letter))
