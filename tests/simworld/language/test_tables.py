"""The tables of words: complete, checked when they are read, and safe to show in either direction
of writing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pytest
import yaml

from simworld.core.errors import InputError
from simworld.core.scenario import Relationship
from simworld.judging.prompts import SILENCE_LINE
from simworld.language import Language, language_codes, load_language
from simworld.yamlfile import load_text, parse

TABLES = resources.files("simworld.language") / "tables"
OTHERS = [code for code in language_codes() if code != "en"]


def text(code: str) -> str:
    return (TABLES / f"{code}.yaml").read_text("utf-8")


def test_the_seven_languages_are_shipped() -> None:
    assert language_codes() == ("ar", "de", "en", "es", "fr", "ja", "zh")
    assert len({load_language(code).version for code in language_codes()}) == 7


@pytest.mark.parametrize("code", language_codes())
def test_a_table_is_whole_and_holds_no_hidden_character(code: str) -> None:
    language = load_language(code)
    assert language.code == code
    for relations in (language.others.relations, language.judge.relations):
        assert set(relations) == set(Relationship)
        assert len(set(relations.values())) == len(Relationship)
    found = {unicodedata.category(character) for character in text(code) if character != "\n"}
    # a mark of direction would show as an escape
    assert not found & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("code", OTHERS)
def test_no_word_was_left_in_english(code: str) -> None:
    english, other = (flat(yaml.safe_load(text(c))) for c in ("en", code))
    written = {
        key for key, words in english.items() if any(map(str.isalpha, re.sub(r"{\w+}", "", words)))
    }
    assert {key for key in written & set(other) if english[key] == other[key]} == set()
    assert len(written & set(other)) > 25


def flat(table: Mapping[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        elif isinstance(value, str):
            found[before + key] = value
    return found


def test_the_silence_in_the_ids_of_judges_is_the_tables() -> None:
    assert load_language("en").judge.silence == SILENCE_LINE


def problems(changed: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(load_text(changed, "xx.yaml"), Language)
    return str(caught.value).split("\n")


def test_what_is_wrong_with_a_table_is_said_with_its_place() -> None:
    german = text("de")
    (line,) = problems(
        german.replace('bare: "{who} ist {relation}."', 'bare: "{who} ist {relatoin}."')
    )
    assert line.endswith("others.bare: expected {who}, {relation}, found {relatoin}, {who}")
    (line,) = problems(german.replace('to: "(zu {names})"', 'to: "(zu {names)"'))
    assert "acts.to: braces that do not match" in line
    (line,) = problems(german.replace("    friend: befreundet\n", ""))
    assert "judge.relations: no words for friend" in line
    (line,) = problems(german.replace("{{secret}}", "{{secrte}}"))[:1]
    assert "{{secret}} is missing" in line
    (line,) = problems("code: xx\nname: X\n" + text("en").split("name: English\n")[1])
    assert "required for every language but English" in line


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no language 'xx'; there are ar, de, en, es, fr, ja, zh"):
        load_language("xx")
    with pytest.raises(InputError, match=r"no language '\.\./en'"):
        load_language("../en")
