"""Rubric files: the shipped one, and everything that can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.rubrics import fill_slots, load_rubric, rubric_names
from simworld.core.errors import InputError

GOOD = """
name: mine
dimensions:
  - name: wit
    range: [0, 5]
    question: Is {name} witty?
    weight: 2
    statements:
      - {high: "{name} is witty.", low: "{name} is dull."}
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "r.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as error:
        load_rubric(str(path))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in error.value.problems]


def test_the_sotopia_rubric_has_the_names_and_ranges_of_sotopia_eval() -> None:
    rubric = load_rubric("sotopia")
    assert {d.name: (d.low, d.high) for d in rubric.dimensions} == {
        "believability": (0, 10),
        "relationship": (-5, 5),
        "knowledge": (0, 10),
        "secret": (-10, 0),
        "social_rules": (-10, 0),
        "financial_and_material_benefits": (-5, 5),
        "goal": (0, 10),
    }
    assert all(d.weight == 1 for d in rubric.dimensions)
    assert all(len(d.high_statements) == len(d.low_statements) >= 2 for d in rubric.dimensions)
    assert rubric_names() == ("sotopia",)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD, "utf-8")
    (wit,) = load_rubric("mine.yaml", beside=tmp_path).dimensions
    assert (wit.low, wit.high, wit.weight) == (0, 5, 2)
    assert wit.high_statements == ("{name} is witty.",)
    assert wit.low_statements == ("{name} is dull.",)


def test_the_id_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, "utf-8")
    (tmp_path / "b.yaml").write_text(GOOD.replace("dull", "slow"), "utf-8")
    a, b = (load_rubric(f"{name}.yaml", beside=tmp_path).id for name in "ab")
    assert a != b
    assert a.startswith("mine@")


def test_slots_are_filled_once() -> None:
    assert (
        fill_slots("{name} kept {secret}.", {"name": "Ann", "secret": "the {name} {x"})
        == "Ann kept the {name} {x."
    )


def test_every_problem_is_named_with_its_place(tmp_path: Path) -> None:
    text = """name: mine
dimensions:
  - name: wit
    range: [5, 0]
    qestion: Is {name} witty?
  - name: Wit
    range: [0, 5]
    question: Is {name} witty?
"""
    found = problems(tmp_path, text)
    assert found[0] == "r.yaml:5:5: dimensions.0.qestion: unknown field; did you mean 'question'?"
    assert found[1].startswith("r.yaml:6:11: dimensions.1.name:")
    assert len(found) == 2


def test_problems_between_fields(tmp_path: Path) -> None:
    text = """name: mine
dimensions:
  - {name: wit, range: [5, 0], question: "Is {nme} witty?"}
  - {name: wit, range: [0, 5], question: "Is {name} witty?", statements: [{high: "{name.x}", low: "{name} {}"}]}
"""
    found = problems(tmp_path, text)
    assert found == [
        (
            "r.yaml:3:24: dimensions.0.range: found [5, 0], expected the lower end first and a"
            " higher one after it"
        ),
        "r.yaml:3:42: dimensions.0.question: unknown slot {nme}; did you mean 'name'?",
        "r.yaml:4:12: dimensions.1.name: a second dimension 'wit'",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sotopa", "no rubric named 'sotopa'; did you mean 'sotopia'?"),
        ("zzz", "no rubric named 'zzz'"),
        ("gone.yaml", "no rubric file gone.yaml"),
    ],
)
def test_an_unknown_rubric(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no rubric") as error:
        load_rubric(name)
    assert str(error.value).startswith(message)


def test_an_endless_range_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD.replace("[0, 5]", "[0, .inf]"))
