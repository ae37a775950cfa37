"""`simworld.learn`: the command's job, for Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import simworld
from simworld import InputError
from tests.factories.pipelines import FILE, STAGES, call, skipped


def test_the_loop_from_python_and_from_the_command_is_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = simworld.learn("loop.yaml", db="x.db", dry_run=True)
    assert not (folder / "x.db").exists()
    assert [stage.name for stage in dry.stages] == STAGES
    assert dry.planners == ()
    assert f"{dry.stages[0].label}: to do" in str(dry)
    with pytest.raises(InputError, match="tiny: nothing is evaluated yet"):
        dry.frame()
    done = simworld.learn("loop.yaml", db="x.db", cpu_threads=1)
    assert capsys.readouterr() == ("", "")
    (planner,) = done.planners
    assert planner.parent == Path("learn-tiny")
    assert done.failed == 0
    frame = done.frame()
    assert set(frame["first"]) >= {"planner"}
    assert set(frame["measure"]) == {"lexical"}
    assert f"planner: {planner}" in str(done)
    assert "<table" in done._repr_html_()
    (again,) = call()
    assert set(skipped(again).values()) == {True}
    mapping = simworld.learn(yaml.safe_load(FILE), db=Path("x.db"))
    assert all(stage.skipped for stage in mapping.stages)


def test_what_is_wrong_in_a_mapping_is_told_by_its_keys(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^learn file: trian: unknown field"):
        simworld.learn(yaml.safe_load(FILE) | {"trian": {}}, db="x.db")
