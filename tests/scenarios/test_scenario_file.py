"""The committed JSON Schemas are fresh, and they accept and refuse what the loader does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

import scenarios
from scenarios import scenario_json_schema
from scenarios.scenario_file import persona_json_schema, schema_text
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER, LIBRARY_FOLDER, PERSONAS_FOLDER
from simworld.core.errors import InputError
from simworld.yamlfile import load_yaml
from tests.scenarios.parsing import parse_scenario

HOME = Path(scenarios.__file__).parent


def test_the_committed_schemas_are_not_stale() -> None:
    stale = (
        "run: simworld scenario schema > scenarios/scenario.schema.json (with --persona for the"
        " other)"
    )
    assert (HOME / "scenario.schema.json").read_text(encoding="utf-8") == schema_text(
        scenario_json_schema()
    ), stale
    assert (HOME / "persona.schema.json").read_text(encoding="utf-8") == schema_text(
        persona_json_schema()
    ), stale


@pytest.mark.parametrize(
    "folder",
    [LIBRARY_FOLDER, HELDOUT_FOLDER, EXAM_FOLDER, PERSONAS_FOLDER],
    ids=lambda folder: folder.name,
)
def test_the_shipped_files_fit_the_schema(folder: Path) -> None:
    schema = persona_json_schema() if folder == PERSONAS_FOLDER else scenario_json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        problems = [
            f"{file.name}: {error.message}" for error in validator.iter_errors(load_yaml(file).data)
        ]
        assert problems == []


def test_the_schema_takes_placeholders_where_numbers_stand_and_refuses_typing_errors() -> None:
    validator = jsonschema.Draft202012Validator(scenario_json_schema())
    seat = {"name": "a", "persona": "x", "goal": "g"}
    good = {"name": "n", "setting": "s", "seats": [seat, seat], "limits": {"turns": "{{turns}}"}}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "limits": {"turns": "ten"}})
    assert not validator.is_valid({**good, "limits": {"turn": 3}})
    assert not validator.is_valid({**good, "name": "Not A Slug"})
    assert not validator.is_valid(
        {**good, "relationships": [{"between": ["a", "b"], "kind": "friend"}]}
    )


def test_importing_the_package_loads_neither_pydantic_nor_yaml() -> None:
    import subprocess
    import sys

    code = (
        "import scenarios, sys; sys.exit(any(m in sys.modules for m in ('pydantic', 'yaml',"
        " 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_names_of_the_package_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        scenarios.nope  # noqa: B018
    assert json.loads(schema_text(scenarios.scenario_json_schema()))["title"] == "simworld scenario"


TWO = """name: x
setting: S
seats:
  - {name: a, persona: {name: A}, goal: G}
  - {name: b, persona: {name: B}, goal: G}
"""


CHECKED = "checks:\n  - {name: NAME, kind: keyword, words: [a]}\n"


@pytest.mark.parametrize(
    ("part", "text", "place"),
    [
        ("SeatFields", TWO.replace("name: a", "name: NAME"), "seats"),
        ("CheckFields", TWO + CHECKED, "checks"),
    ],
)
def test_names_of_seats_and_checks_may_be_in_any_script(part: str, text: str, place: str) -> None:
    pattern = scenario_json_schema()["$defs"][part]["properties"]["name"]["pattern"]
    for name in ("seller", "night-nurse", "卖家", "fromagère", "مديرة-القاعة", "ผู้ขาย", "2"):
        quoted = text.replace("NAME", f"'{name}'")
        assert getattr(parse_scenario(quoted)[0], place)[0].name == name
        assert re.search(pattern, name)
    for name in (
        "Seller",
        "Élise",
        "a b",
        "a--b",
        "-a",
        "a_b",
        "a:b",
        "卖，家",
        "\u0301a",
        "x" * 201,
    ):
        with pytest.raises(InputError, match=rf"{place}\.0\.name"):
            parse_scenario(text.replace("NAME", f"'{name}'"))


def test_a_language_is_one_that_has_a_table() -> None:
    text = TWO.replace("seats:", "language: LANGUAGE\nseats:")
    assert [
        parse_scenario(text.replace("LANGUAGE", code))[0].language for code in ("en", "zh")
    ] == ["en", "zh"]
    plain = parse_scenario(text.replace("language: LANGUAGE\n", ""))[0]
    assert plain.id == parse_scenario(text.replace("LANGUAGE", "en"))[0].id
    assert plain.id != parse_scenario(text.replace("LANGUAGE", "zh"))[0].id
    known = "ar, de, en, es, fr, ja, zh"
    with pytest.raises(
        InputError, match=rf"scenario\.yaml:3:11: language: no language 'zz'; there are {known}"
    ):
        parse_scenario(text.replace("LANGUAGE", "zz"))
