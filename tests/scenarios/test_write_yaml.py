"""Scenario → YAML → Scenario: nothing changes, whatever the texts hold."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import load_scenario
from scenarios.personas import load_persona
from scenarios.selection import read_folder
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER, LIBRARY_FOLDER
from scenarios.write_yaml import dump_persona, dump_scenario
from simworld.core.scenario import (
    Check,
    CheckKind,
    Limits,
    Persona,
    Relationship,
    Scenario,
    Seat,
    TurnOrder,
)
from simworld.language import language_codes
from tests.scenarios.parsing import parse_scenario

tricky = st.sampled_from(
    ["no", "null", "~", "12", "1e5", "0o17", "1:30", "<<", "- x", "a: b", "# no", "'", '"', "{", "*x", "&x", "!x", "%", "@", "|",
     ">", "true", "x\ny", "x\n\n  y\n", "a \n b", "=", "2024-01-01", "é", "\u2028", "\x85", "\ufeff", "😀", "tab\there",
     "{{x}}", "{{", "{{{x}}}", "{{brace}}", "{ {{ {{{{", "{x}", "$x", "%s", "{% x %}"]
)  # fmt: skip
characters = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t")
texts = (st.text(characters, max_size=60) | tricky).map(str.strip)
full = texts.filter(bool)
slugs = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
personas = st.builds(
    Persona, name=full, short=texts, age=st.none() | st.integers(0, 150), gender=texts, pronouns=texts, occupation=texts,
    public=texts, personality=texts, values=texts,
)  # fmt: skip


@st.composite
def checks(draw: st.DrawFn, name: str, seats: list[str]) -> Check:
    kind = draw(st.sampled_from(list(CheckKind)))
    by = draw(st.sampled_from(["", *seats]))
    if kind is CheckKind.number:
        low, high = sorted(draw(st.tuples(*[st.floats(-1e6, 1e6)] * 2)))
        between = draw(st.sampled_from([None, (low, high)]))
        pattern = draw(st.sampled_from([r"(\d+) euros", r"'(\d)'", r"(\w{2})"]))
        return Check(
            name=name,
            kind=kind,
            pattern=pattern,
            by=by,
            between=between,
            last=draw(st.booleans()),
            ends=draw(st.booleans()),
        )
    absent = draw(st.booleans())
    ends = draw(st.booleans()) and not absent
    if kind is CheckKind.keyword:
        words = tuple(draw(st.lists(full, min_size=1, max_size=3)))
        return Check(name=name, kind=kind, words=words, by=by, absent=absent, ends=ends)
    return Check(
        name=name,
        kind=kind,
        pattern=draw(st.sampled_from(["x", r"\d", "a: b", "no", "12"])),
        by=by,
        absent=absent,
        ends=ends,
    )


@st.composite
def any_scenario(draw: st.DrawFn) -> Scenario:
    names = draw(st.lists(slugs, min_size=2, max_size=4, unique=True))
    seats = tuple(
        Seat(
            name=name,
            persona=draw(personas),
            goal=draw(full),
            knows=draw(texts),
            secret=draw(texts),
        )
        for name in names
    )
    kinds = {pair: draw(st.sampled_from(list(Relationship))) for pair in combinations(names, 2)}
    check_names = draw(st.lists(slugs, max_size=3, unique=True))
    return Scenario(
        name=draw(slugs),
        setting=draw(full),
        seats=seats,
        relationships={
            pair: kind for pair, kind in kinds.items() if kind is not Relationship.stranger
        },
        order=draw(st.sampled_from(list(TurnOrder))),
        limits=Limits(turns=draw(st.integers(1, 99)), silence=draw(st.integers(1, 9))),
        checks=tuple(draw(checks(name, names)) for name in check_names),
        language=draw(st.sampled_from(language_codes())),
        title=draw(texts),
        family=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True) | st.just("")),
        kind=draw(texts),
        tags=tuple(draw(st.lists(full, max_size=3))),
        rubric=draw(st.just("sotopia")),
        judge_note=draw(texts),
        meta=draw(
            st.dictionaries(st.from_regex(r"[a-z0-9_.-]{1,9}", fullmatch=True), texts, max_size=3)
        ),
    )


@settings(max_examples=60, deadline=None)
@given(any_scenario())
def test_round_trip(scenario: Scenario) -> None:
    (back,) = parse_scenario(dump_scenario(scenario))
    assert back == scenario
    assert back.id == scenario.id


@pytest.mark.parametrize(
    "loaded",
    [*read_folder(LIBRARY_FOLDER), *read_folder(HELDOUT_FOLDER), *read_folder(EXAM_FOLDER)],
    ids=lambda loaded: loaded.scenario.name,
)
def test_what_is_shipped_survives_the_round_trip(loaded: object) -> None:
    import dataclasses

    scenario = loaded.scenario  # type: ignore[attr-defined]
    plain = dataclasses.replace(scenario, name=scenario.name.replace(".", "-"))
    assert parse_scenario(dump_scenario(plain)) == (plain,)


def test_personas_in_files_of_their_own(tmp_path: Path) -> None:
    persona = Persona(name="Ann O'Hara", age=3, public="no", values="a: b\nc")
    (tmp_path / "ann.yaml").write_text(dump_persona(persona), encoding="utf-8")
    assert load_persona(tmp_path / "ann.yaml") == persona
    bo = Persona(name="Bo")
    scenario = Scenario(
        name="x",
        setting="S",
        seats=(Seat(name="a", persona=persona, goal="G"), Seat(name="b", persona=bo, goal="H")),
    )
    (tmp_path / "x.yaml").write_text(dump_scenario(scenario, {"a": "ann"}), encoding="utf-8")
    assert "persona: ann\n" in (tmp_path / "x.yaml").read_text(encoding="utf-8")
    assert load_scenario(tmp_path / "x.yaml") == (scenario,)
