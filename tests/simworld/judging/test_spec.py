"""Judge files: the shipped ones, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from simworld.core.errors import InputError
from simworld.judging.rubrics import load_rubric
from simworld.judging.spec import DEFAULT_JUDGE, builtin_judges, load_judge


def test_every_shipped_judge_loads_under_its_file_name() -> None:
    assert DEFAULT_JUDGE in builtin_judges()
    for name in builtin_judges():
        spec, origin = load_judge(name)
        assert spec.name == name
        assert origin == "built in"
    assert {load_judge(name)[0].method for name in builtin_judges()} == {"statements", "answers", "server"}


def test_the_default_is_calibrated_for_every_dimension_of_its_rubric() -> None:
    spec, _ = load_judge(DEFAULT_JUDGE)
    assert set(spec.calibration) == {d.name for d in load_rubric("sotopia").dimensions} | {"every"}


def test_a_judge_file_and_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text(
        "name: j\nmodel: builtin:m\nmethod: answers\nchat: yes\nsamples: 3\nchat: true\n".replace("chat: yes\n", "")
    )
    spec, origin = load_judge(str(path))
    assert (spec.chat, spec.samples, origin) == (True, 3, str(path))
    path.write_text("name: j\nmodel: builtin:m\nmethod: statement\ncalibration: {goal: {a: -1}}\nsmaples: 2\n")
    with pytest.raises(InputError) as error:
        load_judge(str(path))
    text = str(error.value)
    assert "j.yaml:3:9" in text
    assert "smaples: unknown field; did you mean 'samples'?" in text
    assert "calibration.goal.a" in text


def test_a_server_must_be_asked_for_text(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text("name: j\nmodel: openai:m@http://localhost/v1\nmethod: statements\n")
    with pytest.raises(InputError, match=r"j\.yaml:3:9: method: found 'statements'"):
        load_judge(str(path))


def test_a_prior_needs_something_to_read(tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text("name: j\nmodel: builtin:m\nmethod: statements\nhead: []\n")
    with pytest.raises(InputError, match=r"prior: without head and ask there is nothing to read"):
        load_judge(str(path))
    path.write_text("name: j\nmodel: builtin:m\nmethod: statements\nhead: []\nprior: false\n")
    assert load_judge(str(path))[0].head == ()


@pytest.mark.parametrize("name", ["smol-statment", "nothing-like-it", "gone.yaml"])
def test_an_unknown_judge(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no judge"):
        load_judge(name)


def test_a_rubric_beside_the_judges_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "r.yaml").write_text("name: r\ndimensions:\n  - {name: d, range: [0, 1], question: q}\n")
    (folder / "j.yaml").write_text("name: j\nmodel: builtin:m\nmethod: answers\nrubric: r.yaml\n")
    monkeypatch.chdir(tmp_path)
    spec, _ = load_judge("mine/j.yaml")
    assert load_rubric(spec.rubric).name == "r"
