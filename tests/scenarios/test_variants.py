"""Parameters and the matrix: what they expand to, and every way to get them wrong."""

from __future__ import annotations

import pytest

from scenarios.variants import slugify
from simworld.core.errors import InputError
from tests.scenarios.parsing import parse_scenario

FLAT = """\
name: flat
setting: The rent is {{price}} euros and the landlord is {{mood}}.
parameters: {price: 60, mood: calm}
seats:
  - {name: a, persona: {name: Ann}, goal: "Pay less than {{ price }}."}
  - {name: b, persona: {name: Bo}, goal: H}
checks:
  - {name: price, kind: number, pattern: '(\\d+)', between: [50, "{{price}}"]}
"""


def lines(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_scenario(text, "x.yaml")
    return str(caught.value).split("\n")


def test_defaults_alone_give_one_scenario_with_the_files_own_name() -> None:
    (scenario,) = parse_scenario(FLAT)
    assert scenario.name == scenario.family == "flat"
    assert scenario.setting == "The rent is 60 euros and the landlord is calm."
    assert scenario.seats[0].goal == "Pay less than 60."
    assert scenario.checks[0].between == (50.0, 60.0)


def test_a_matrix_expands_in_its_order_and_shares_the_family() -> None:
    found = parse_scenario(FLAT + "matrix: {price: [50, 60.50], mood: [calm, Very angry]}\n")
    assert [s.name for s in found] == [
        "flat.price-50.mood-calm",
        "flat.price-50.mood-very-angry",
        "flat.price-60-5.mood-calm",
        "flat.price-60-5.mood-very-angry",
    ]
    assert {s.family for s in found} == {"flat"}
    # as the author wrote it
    assert found[3].setting == "The rent is 60.50 euros and the landlord is Very angry."
    assert found[3].checks[0].between == (50.0, 60.5)
    assert len({s.id for s in found}) == 4


def test_parameters_outside_the_matrix_keep_their_defaults() -> None:
    found = parse_scenario(FLAT + "matrix: {mood: [calm, angry]}\nfamily: rents\n")
    assert [s.name for s in found] == ["flat.mood-calm", "flat.mood-angry"]
    assert all("60 euros" in s.setting and s.family == "rents" for s in found)


def test_values_reach_numbers_flags_and_personas() -> None:
    text = """\
name: n
setting: S
parameters: {turns: 4, stop: true, who: nadia-brandt, age: 30}
matrix: {turns: [2, 3], stop: [true, false]}
limits: {turns: "{{turns}}"}
seats:
  - {name: a, persona: "{{who}}", goal: G}
  - {name: b, persona: {name: Bo, age: "{{age}}", public: "Aged {{age}}."}, goal: "{{turns}}"}
checks: [{name: c, kind: regex, pattern: 'x{2}', ends: "{{stop}}"}]
"""
    found = parse_scenario(text)
    assert [(s.limits.turns, s.checks[0].ends) for s in found] == [
        (2, True),
        (2, False),
        (3, True),
        (3, False),
    ]
    assert found[0].seats[0].persona.name == "Nadia Brandt"
    assert found[0].seats[1].persona.age == 30
    assert found[0].seats[1].goal == "2"  # a text field takes a number as text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("{{mood}}", "{{moood}}"), [
            "x.yaml:2:10: setting: unknown parameter 'moood'; declare it in parameters or matrix; did you mean 'mood'?",
            "x.yaml:3:25: parameters.mood: nothing uses this parameter; write {{mood}} in a text; did you mean 'moood'?",
        ]),
        (("{{mood}}", "calm"), ["x.yaml:3:25: parameters.mood: nothing uses this parameter; write {{mood}} in a text"]),
        (("{{mood}}", "{{mood} or {{2}}"), [
            "x.yaml:2:10: setting: '{{' without a parameter's name and '}}'",
            "x.yaml:3:25: parameters.mood: nothing uses this parameter; write {{mood}} in a text",
        ]),
        (("name: flat", "name: 'flat-{{mood}}'"), [
            "x.yaml:1:7: name: a parameter cannot stand here; the matrix names its variants",
        ]),
        (("mood: calm", "mood: 'as {{price}}'"), [
            "x.yaml:3:31: parameters.mood: a parameter's value cannot refer to another parameter"]),
        (("price: 60", "price: sixty"), ["x.yaml:8:65: checks.0.between.1: expected a number, found the text 'sixty'"]),
        (("mood: calm", "mood: [calm]"), [
            "x.yaml:2:10: setting: unknown parameter 'mood'; declare it in parameters or matrix",
        ]),
    ],
    ids=["misspelt", "unused", "unfinished", "in the name", "nested", "wrong type", "no value"],
)  # fmt: skip
def test_mistakes(change: tuple[str, str], expected: list[str]) -> None:
    assert [
        line for line in lines(FLAT.replace(*change)) if "name: expected small" not in line
    ] == expected


@pytest.mark.parametrize(
    ("matrix", "line"),
    [
        ("{pirce: [1]}", "x.yaml:9:10: matrix.pirce: nothing uses this parameter; write {{pirce}} in a text"),
        ("{price: []}", "x.yaml:9:17: matrix.price: expected at least 1 entry, found 0 entries"),
        ("{price: 5}", "x.yaml:9:17: matrix.price: expected a list, found the number 5"),
        ("{mood: [so so, So-so]}", "x.yaml:9:24: matrix.mood.1: gives the same name as entry 1, 'mood-so-so'"),
        ("{mood: [calm, 東京]}", "x.yaml:9:23: matrix.mood.1: needs a letter a-z or a digit, for the variant's name"),
        (
            "{price: [" + ", ".join(map(str, range(101))) + "], mood: [a, b, c, d, e, f, g, h, i, j]}",
            "x.yaml:9:1: matrix: 1,010 combinations; at most 1,000 are expanded",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_the_matrix(matrix: str, line: str) -> None:
    assert lines(f"{FLAT}matrix: {matrix}\n") == [line]


def test_variants_that_no_seat_can_tell_apart_are_refused() -> None:
    text = (
        FLAT.replace("landlord is {{mood}}", "landlord is calm")
        + "judge_note: '{{mood}}'\nmatrix: {mood: [calm, angry]}\n"
    )
    assert lines(text) == [
        "x.yaml:10:1: matrix: the variants flat.mood-calm and flat.mood-angry show every seat the"
        " same; use the parameter in a goal or the setting"
    ]


def test_a_thousand_variants_expand() -> None:
    matrix = (
        f"matrix: {{price: [{', '.join(map(str, range(50, 150)))}], mood: [a, b, c, d, e, f, g, h,"
        " i, j]}\n"
    )
    assert len(parse_scenario(FLAT + matrix)) == 1000


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        (50, "50"),
        (0.5, "0-5"),
        (-3, "minus-3"),
        (True, "true"),
        ("Very Angry!", "very-angry"),
        ("Zoë", "zoe"),
        ("東", ""),
    ],
)
def test_values_in_names(value: str | float | bool, slug: str) -> None:
    assert slugify(value) == slug


BASE_OF_BOMB = """\
name: bomb
setting: "TEXT"
seats:
  - {name: a, persona: {name: Ann}, goal: g}
  - {name: b, persona: {name: Ben}, goal: h}
matrix: {word: [VALUES]}
"""


def test_variants_that_would_fill_the_memory_are_refused() -> None:
    values = ", ".join(f"'{i:x<500}'" for i in range(1000))
    text = BASE_OF_BOMB.replace("TEXT", "{{word}} " * 5_000).replace("VALUES", values)
    with pytest.raises(InputError) as caught:
        parse_scenario(text)
    (problem,) = caught.value.problems
    assert problem.message.startswith("matrix: the variants would hold 2,5")
    assert problem.message.endswith("characters together; at most 20,000,000 are written")


def test_a_pattern_that_a_variant_makes_is_measured() -> None:
    text = BASE_OF_BOMB.replace("TEXT", "{{word}}").replace("VALUES", "2, 90000")
    text += "checks: [{name: c, kind: regex, pattern: '(ab){{{word}}}'}]\n"
    with pytest.raises(
        InputError, match=r"scenario.yaml:7:42: checks.0.pattern: the pattern is too large"
    ):
        parse_scenario(text)
