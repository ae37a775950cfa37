"""`make oldest` tests with the lowest versions that `pyproject.toml` allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.oldest_versions import HOME, lowest, needed


def test_the_lower_bound_is_what_is_taken() -> None:
    ranges = ["rich>=14,<16", "psycopg[binary]>=3.2.1", "x>=1.5rc1; python_version < '3.13'"]
    assert lowest(ranges) == ["rich==14", "psycopg==3.2.1", "x==1.5rc1"]


@pytest.mark.parametrize("without", ["torch", "torch<3", "torch==2.6", "torch>2.5", "torch~=2.6"])
def test_a_range_without_a_lower_bound_is_refused(without: str) -> None:
    with pytest.raises(ValueError, match=r"expected one lower bound, as in torch>=1\.0"):
        lowest([without])


def test_extras_belong_to_it_and_tools_of_developers_do_not(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = ["a>=1"]\n'
        '[project.optional-dependencies]\nparquet = ["b>=2", "c>=3"]\ndev = ["ruff"]\ndocs = ["mkdocs"]\n'
    )
    assert needed(tmp_path / "pyproject.toml") == ["a>=1", "b>=2", "c>=3"]


def test_everything_that_simworld_needs_has_a_lower_bound() -> None:
    assert len(lowest(needed())) > 20


def test_make_installs_every_extra() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))["project"]
    (listed,) = re.findall(r"-e '\.\[([\w,]+)\]'", (HOME / "Makefile").read_text("utf-8"))
    assert set(listed.split(",")) == set(project["optional-dependencies"])
