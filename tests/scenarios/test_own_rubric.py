"""`rubric: file.yaml` in a scenario: where the file is found, what is said when it is not, and that
no seat is changed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import load_scenario
from scenarios.rubrics import scenario_rubric
from simworld.core.errors import InputError

SCENARIO = """\
name: x
setting: S
seats:
  - {name: a, goal: g, persona: {name: Ann}}
  - {name: b, goal: g, persona: {name: Bo}}
rubric: RUBRIC
"""
RUBRIC = "name: NAME\ndimensions: [{name: wit, range: [0, 4], question: 'Is {name} witty?'}]\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "working").mkdir()
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "working")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_beside_the_scenario_goes_before_the_working_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", "mine.yaml"))
    write(tmp_path / "working" / "mine.yaml", RUBRIC.replace("NAME", "working"))
    assert scenario_rubric(load_scenario(file)[0]).name == "working"
    write(tmp_path / "study" / "mine.yaml", RUBRIC.replace("NAME", "beside"))
    (scenario,) = load_scenario(file)
    assert scenario_rubric(scenario).name == "beside"
    (tmp_path / "study" / "mine.yaml").unlink()
    assert scenario_rubric(scenario).name == "beside"  # it was read with the scenario


def test_the_shipped_one_is_the_last_place_and_needs_no_file(tmp_path: Path) -> None:
    for name in ("sotopia", "sotopia.yaml"):
        file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", name))
        assert scenario_rubric(load_scenario(file)[0]).name == "sotopia"
    file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", "sotopia"))
    assert load_scenario(file)[0].own_rubric is None


NONE = "; with simworld comes sotopia, and `simworld rubric new NAME` writes one of your own"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gone.yaml", NONE),
        ("mnie.yaml", "; did you mean 'mine.yaml'?"),
        ("../gone.yaml", NONE),
        ("rubrics/gone.yml", NONE),
        ("n" * 300 + ".yaml", NONE),
        ("calm.yaml", "; did you mean 'rubrics/calm.yaml'?"),
        ("sotopa.yaml", "; did you mean 'sotopia'?"),
    ],
)
def test_a_missing_file_is_told_at_the_field(name: str, hint: str, tmp_path: Path) -> None:
    write(tmp_path / "study" / "mine.yaml", RUBRIC)
    write(tmp_path / "study" / "rubrics" / "calm.yaml", RUBRIC)
    file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", name))
    with pytest.raises(InputError) as error:
        load_scenario(file)
    (line,) = map(str, error.value.problems)
    assert line.startswith(f"{file}:6:9: rubric: no rubric file ")
    assert line.endswith(hint)


def test_a_name_that_is_none_and_a_file_with_mistakes(tmp_path: Path) -> None:
    file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", "sotopa"))
    with pytest.raises(InputError) as error:
        load_scenario(file)
    assert str(error.value).startswith(
        f"{file}:6:9: rubric: no rubric named 'sotopa'; did you mean 'sotopia'?"
    )
    rubric = write(
        tmp_path / "study" / "mine.yaml", RUBRIC.replace("NAME", "x").replace("[0, 4]", "[4, 0]")
    )
    file = write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", "mine.yaml"))
    with pytest.raises(InputError) as error:
        load_scenario(file)
    assert str(error.value).startswith(f"{rubric}:2:33: dimensions.0.range: found [4, 0]")


def test_each_variant_has_its_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / "study" / f"{name}.yaml", RUBRIC.replace("NAME", name))
    text = SCENARIO.replace("RUBRIC", "'{{by}}.yaml'").replace("setting: S", "setting: 'S {{by}}'")
    file = write(tmp_path / "study" / "x.yaml", text + "matrix: {by: [one, two]}\n")
    assert [scenario_rubric(scenario).name for scenario in load_scenario(file)] == ["one", "two"]


def test_a_rubric_is_no_part_of_the_id(tmp_path: Path) -> None:
    write(tmp_path / "study" / "mine.yaml", RUBRIC.replace("NAME", "mine"))
    ids = {
        load_scenario(write(tmp_path / "study" / "x.yaml", SCENARIO.replace("RUBRIC", name)))[0].id
        for name in ("mine.yaml", "sotopia")
    }
    assert len(ids) == 1
