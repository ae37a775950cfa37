"""The tutorial on analysis: its notebook shows what it showed when its outputs were written, and
the page's blocks run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from tests.notebook import run, shown

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "query.md").read_text("utf-8")


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[Any]]:
    """The folder in which the notebook ran, what its cells showed before, and what they show."""
    folder = tmp_path_factory.mktemp("tutorial")
    notebook = json.loads((DOCS / "analysis.ipynb").read_text("utf-8"))
    before = [shown(cell["outputs"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    after = [shown(outputs) for _, outputs in run(notebook, folder)]
    return folder, before, after


def test_the_notebook_shows_what_it_says(tutorial: tuple[Path, list[Any], list[Any]]) -> None:
    _, before, after = tutorial
    assert len(before) > 10
    for was, now in zip(before, after, strict=True):
        # `python -m tests.notebook docs/analysis.ipynb` writes them anew
        assert [where for where, _ in now] == [where for where, _ in was]
        assert [number(word) for _, text in now for word in text.split()] == [
            pytest.approx(one, rel=0.03, abs=0.003, nan_ok=True)
            if isinstance(one := number(word), float)
            else one
            for _, text in was
            for word in text.split()
        ]


def number(word: str) -> float | str:
    """A word that is a number as one: the last digits of resampled intervals may change with what
    resamples them."""
    try:
        return float(word)
    except ValueError:
        return word


def test_the_commands_of_the_page_run(
    tutorial: tuple[Path, list[Any], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tutorial[0])
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ]
    assert lines[0] == "export SIMWORLD_DB=tutorial.db"
    assert len(lines) > 12
    for line in lines[1:]:
        command = shlex.split(re.sub(r"\s+#.*| > .*", "", line))
        result = CliRunner().invoke(cli, command[1:], env={"SIMWORLD_DB": "tutorial.db"})
        assert command[0] == "simworld"
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception}"


@pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")
def test_the_python_of_the_page_runs(
    tutorial: tuple[Path, list[Any], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tutorial[0])
    names: dict[str, Any] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), names)
    with names["db"] as db:
        found = db.paired("focused", "plain").set_index("measure").round(3)
    for line in re.findall(r"^\| (overall|on_goal|asks) \| (.*) \|$", PAGE, re.MULTILINE):
        cells = [cell.strip().replace("−", "-") for cell in line[1].split("|")]
        columns = ["difference", "low", "high", "d_z", "pairs", "families", "settles"]
        said = [float(cell) for cell in (*cells[:4], *cells[5:])]
        assert said == pytest.approx(
            [float(x) for x in found.loc[line[0], columns]], abs=0.006, rel=0.002
        )
