"""From YAML to the core's Scenario: the example of the design, and the exact line for every
mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import load_scenario
from simworld.core.errors import InputError
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
from tests.scenarios.parsing import parse_scenario

TICKET = r"""
name: last-concert-ticket
title: The last ticket
setting: >
  The box office has closed.
relationship: stranger
seats:
  - name: seller
    persona: {name: Nadia Brandt, age: 34}
    goal: Sell the ticket for at least 65 euros.
    knows: You paid 60 euros.
    secret: no
  - name: buyer
    persona: {name: Tomas Okafor, short: Tom}
    goal: Get the ticket for at most 90 euros.
limits: {turns: 12, silence: 2}
checks:
  - {name: price, kind: number, pattern: '(\d+) euros', last: true, between: [65, 90]}
rubric: sotopia
"""

BASE = """\
name: x
setting: S
seats:
  - {name: a, persona: {name: Ann}, goal: G}
  - {name: b, persona: {name: Bo}, goal: H}
"""
SLUG = "expected small letters a-z, digits and dashes, like 'last-ticket'"
SOUGHT = "beside the file, in personas/ or in the library"
TITLE = "unknown field; did you mean 'title'?"


def lines(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_scenario(text, "x.yaml")
    return str(caught.value).split("\n")


def test_the_example_of_the_design() -> None:
    (scenario,) = parse_scenario(TICKET)
    assert scenario == Scenario(
        name="last-concert-ticket",
        title="The last ticket",
        family="last-concert-ticket",
        setting="The box office has closed.",
        seats=(
            Seat(
                name="seller",
                persona=Persona(name="Nadia Brandt", age=34),
                goal="Sell the ticket for at least 65 euros.",
                knows="You paid 60 euros.",
                secret="no",
            ),
            Seat(
                name="buyer",
                persona=Persona(name="Tomas Okafor", short="Tom"),
                goal="Get the ticket for at most 90 euros.",
            ),
        ),
        limits=Limits(turns=12, silence=2),
        checks=(
            Check(
                name="price",
                kind=CheckKind.number,
                pattern=r"(\d+) euros",
                last=True,
                between=(65.0, 90.0),
            ),
        ),
    )


def test_the_golden_id_of_the_example() -> None:
    # If this changes, stored episodes no longer find their scenario: raise the version in the id
    # instead.
    (scenario,) = parse_scenario(TICKET)
    assert scenario.id == "s1-859c87adc46ed46c4acf7318c0e0a366"


def test_the_id_ignores_what_no_seat_reads() -> None:
    (scenario,) = parse_scenario(TICKET)
    (other,) = parse_scenario(
        TICKET.replace("The last ticket", "Another title") + "tags: [a]\njudge_note: n\nkind: k\n"
    )
    (changed,) = parse_scenario(TICKET.replace("60 euros", "61 euros"))
    assert other.id == scenario.id
    assert changed.id != scenario.id


def test_relationships_pair_by_pair_over_a_default() -> None:
    text = (
        BASE
        + """\
  - {name: c, persona: {name: Cy}, goal: I}
relationship: friend
relationships:
  - {between: [c, a], is: stranger}
  - {between: [b, c], is: family_member}
order: simultaneous
"""
    )
    (scenario,) = parse_scenario(text)
    assert scenario.relationships == {
        ("a", "b"): Relationship.friend,
        ("b", "c"): Relationship.family_member,
    }
    assert scenario.relationship("c", "a") is Relationship.stranger
    assert scenario.order is TurnOrder.simultaneous
    assert scenario.limits == Limits(turns=20, silence=2)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("limits: {turns: 0}", "x.yaml:6:17: limits.turns: expected at least 1, found the number 0"),
        ("limits: {silence: -1}", "x.yaml:6:19: limits.silence: expected at least 1, found the number -1"),
        ("limits: {turns: ten}", "x.yaml:6:17: limits.turns: expected a whole number, found the text 'ten'"),
        ("oder: random", "x.yaml:6:1: oder: unknown field; did you mean 'order'?"),
        (
            "relationship: freind",
            "x.yaml:6:15: relationship: expected stranger, know_by_name, acquaintance, friend, romantic_relationship or "
            "family_member, found the text 'freind'; did you mean 'friend'?",
        ),
        ("relationships: [{between: [a, bb], is: friend}]",
         "x.yaml:6:31: relationships.0.between.1: unknown seat 'bb'; did you mean 'b'?"),
        (
            "relationships: [{between: [a, zzz], is: friend}]",
            "x.yaml:6:31: relationships.0.between.1: unknown seat 'zzz'; the seats are a, b",
        ),
        ("relationships: [{between: [a, a], is: friend}]", "x.yaml:6:27: relationships.0.between: names the same seat twice"),
        (
            "relationships: [{between: [a, b], is: friend}, {between: [b, a], is: stranger}]",
            "x.yaml:6:58: relationships.1.between: the relationship between b and a is given twice",
        ),
        ("relationships: [{between: [a], is: friend}]", "x.yaml:6:27: relationships.0.between.1: required field is missing"),
        (
            "checks: [{name: c, kind: regex, pattern: '(x'}]",
            "x.yaml:6:42: checks.0.pattern: not a valid regular expression: missing ) at position 3",
        ),
        (
            r"checks: [{name: c, kind: number, pattern: '\d+'}]",
            r"x.yaml:6:43: checks.0.pattern: a number check reads group 1; put parentheses around the digits, like '(\d+) euros'",
        ),
        (
            r"checks: [{name: c, kind: number, pattern: '(\d+)', between: [90, 65]}]",
            "x.yaml:6:61: checks.0.between: expected the lower end first: [65, 90]",
        ),
        ("checks: [{name: c, kind: regex}]", "x.yaml:6:10: checks.0: a regex check needs 'pattern'"),
        ("checks: [{name: c, kind: keyword, words: []}]", "x.yaml:6:10: checks.0: a keyword check needs 'words'"),
        (
            "checks: [{name: c, kind: keyword, words: [x], pattern: y}]",
            "x.yaml:6:47: checks.0.pattern: a keyword check has no 'pattern'; it belongs to regex and number",
        ),
        (
            "checks: [{name: c, kind: regex, pattern: x, last: true}]",
            "x.yaml:6:45: checks.0.last: a regex check has no 'last'; it belongs to number",
        ),
        ("checks: [{name: c, kind: regex, pattern: x, by: q}]", "x.yaml:6:49: checks.0.by: unknown seat 'q'; the seats are a, b"),
        (
            "checks: [{name: c, kind: regex, pattern: x, absent: true, ends: true}]",
            "x.yaml:6:59: checks.0.ends: would end every episode at once, for nothing has occurred yet",
        ),
        (
            "checks: [{name: c, kind: regex, pattern: x}, {name: c, kind: regex, pattern: y}]",
            "x.yaml:6:53: checks.1.name: two checks are called 'c'",
        ),
        (
            "checks: [{name: c, kind: regexp, pattern: x}]",
            "x.yaml:6:26: checks.0.kind: expected regex, keyword or number, found the text 'regexp'; did you mean 'regex'?",
        ),
        ("meta: {year: 2024}", "x.yaml:6:14: meta.year: expected text, found the number 2024; put it in quotes"),
        ("tags: bargaining", "x.yaml:6:7: tags: expected a list, found the text 'bargaining'"),
        ("family: 'a b'", "x.yaml:6:9: family: expected letters, digits, dots, dashes and underscores, found 'a b'"),
        (r'title: "a\u0000b"', "x.yaml:6:8: control character U+0000 in the text"),
    ],
)  # fmt: skip
def test_one_mistake_one_line(more: str, line: str) -> None:
    assert lines(f"{BASE}{more}\n") == [line]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("name: x", "name: Last Ticket", f"x.yaml:1:7: name: {SLUG}, found 'Last Ticket'"),
        ("setting: S", "setting: ' '", "x.yaml:2:10: setting: must not be empty"),
        ("setting: S", "titel: S", f"x.yaml:2:1: titel: {TITLE}\nx.yaml:1:1: setting: required field is missing"),
        ("name: b,", "name: a,", "x.yaml:5:12: seats.1.name: two seats are called 'a'"),
        ("goal: H", "gaol: H", "x.yaml:5:36: seats.1.gaol: unknown field; did you mean 'goal'?"),
        ("{name: Bo}", "{nmae: Bo}", "x.yaml:5:25: seats.1.persona.nmae: unknown field; did you mean 'name'?"),
        ("{name: Bo}", "{name: Bo, age: -3}", "x.yaml:5:40: seats.1.persona.age: expected at least 0, found the number -3"),
        ("{name: Bo}", "[Bo]", "x.yaml:5:24: seats.1.persona: expected text or a mapping, found a list"),
        (
            "{name: Bo}",
            "nadia-brant",
            "x.yaml:5:24: seats.1.persona: no persona 'nadia-brant' beside the file, in personas/ or in the library; "
            "did you mean 'nadia-brandt'?",
        ),
        ("{name: Bo}", "../etc/passwd", f"x.yaml:5:24: seats.1.persona: no persona '../etc/passwd' {SOUGHT}"),
    ],
)  # fmt: skip
def test_one_mistake_in_the_base(old: str, new: str, line: str) -> None:
    assert sorted(lines(BASE.replace(old, new))) == sorted(line.split("\n"))


def test_a_persona_with_an_endless_name_is_not_found_like_any_other() -> None:
    (line,) = lines(BASE.replace("{name: Bo}", "b" * 5_000))
    assert line.startswith("x.yaml:5:24: seats.1.persona: no persona 'bbb")
    assert len(line) < 200


def test_one_seat_is_too_few() -> None:
    assert lines("name: x\nsetting: S\nseats:\n  - {name: a, persona: {name: Ann}, goal: G}\n") == [
        "x.yaml:4:3: seats: expected at least 2 entries, found 1 entry"
    ]


def test_shape_meaning_references_and_parameters_are_reported_together_in_order() -> None:
    text = """\
name: rent
setting: Rent is {{amount}}.
seats:
  - {name: a, persona: nobody-we-know, goal: G}
  - {name: a, persona: {name: Bo}, gaol: H}
checks:
  - {name: c, kind: regex, pattern: '[', by: tenant}
limits: {turns: 0}
"""
    assert lines(text) == [
        "x.yaml:2:10: setting: unknown parameter 'amount'; declare it in parameters or matrix",
        (
            "x.yaml:4:24: seats.0.persona: no persona 'nobody-we-know' beside the file, in"
            " personas/ or in the library"
        ),
        "x.yaml:5:12: seats.1.name: two seats are called 'a'",
        "x.yaml:5:36: seats.1.gaol: unknown field; did you mean 'goal'?",
        (
            "x.yaml:7:37: checks.0.pattern: not a valid regular expression: unterminated character"
            " set at position 2"
        ),
        "x.yaml:7:46: checks.0.by: unknown seat 'tenant'; the seats are a, a",
        "x.yaml:8:17: limits.turns: expected at least 1, found the number 0",
    ]


def test_ten_thousand_lines_load_or_say_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    story = "\n".join(f"  Line {i}." for i in range(3_000))
    path.write_text(BASE.replace("setting: S", f"setting: |\n{story}") + "# a comment\n" * 7_000)
    (scenario,) = load_scenario(path)
    assert scenario.setting.endswith("Line 2999.")
    path.write_text(BASE + "tags:\n" + "  - tag\n" * 10_000)
    with pytest.raises(
        InputError, match=r"^.*long.yaml:7:3: tags: expected at most 1,?000 entries, found .*$"
    ):
        load_scenario(path)
    path.write_text(
        BASE.replace(
            "setting: S", "setting: |\n" + "  A line of some length, ten thousand times.\n" * 10_000
        )
    )
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}:2:10: setting: expected at most 50,000 characters"
    seats = "".join(f"  - {{name: s{i}, persona: {{name: P}}, goal: G}}\n" for i in range(10_000))
    path.write_text("name: x\nsetting: S\nseats:\n" + seats)
    with pytest.raises(InputError, match=r"seats: expected at most 64 entries"):
        load_scenario(path)


def test_personas_are_looked_up_beside_the_file_then_in_the_working_folder_then_in_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, place = tmp_path / "work", tmp_path / "place"
    (work / "personas").mkdir(parents=True)
    (place / "personas").mkdir(parents=True)
    monkeypatch.chdir(work)
    path = place / "x.yaml"
    path.write_text(BASE.replace("{name: Ann}", "nadia-brandt"))

    def who() -> str:
        return load_scenario(path)[0].seats[0].persona.name

    assert who() == "Nadia Brandt"
    (work / "personas" / "nadia-brandt.yaml").write_text("name: From Work\n")
    assert who() == "From Work"
    (place / "nadia-brandt.yaml").write_text("name: From Beside\n")
    assert who() == "From Beside"
    (place / "personas" / "nadia-brandt.yaml").write_text("name: From Beside Personas\n")
    assert who() == "From Beside Personas"


def test_a_persona_file_with_problems_is_reported_with_its_own_places(tmp_path: Path) -> None:
    (tmp_path / "bo.yaml").write_text("name: Bo\noccupaton: baker\nsecret: x\n")
    path = tmp_path / "x.yaml"
    path.write_text(BASE.replace("{name: Bo}", "bo").replace("{name: Ann}", "bo"))
    with pytest.raises(InputError) as caught:
        load_scenario(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").split("\n") == [
        "bo.yaml:2:1: occupaton: unknown field; did you mean 'occupation'?",
        "bo.yaml:3:1: secret: unknown field",
        "x.yaml:4:24: seats.0.persona: the persona's file bo.yaml has problems of its own",
    ]
