"""The tutorial notebook runs top to bottom, and shows what it showed when its outputs were written."""

from __future__ import annotations

import json
from pathlib import Path

from tests.notebook import run, shown

NOTEBOOK = Path(__file__).parents[2] / "docs" / "analysis.ipynb"


def test_the_notebook_runs_and_shows_what_it_says(tmp_path: Path) -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    before = [shown(cell["outputs"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    after = [shown(outputs) for _, outputs in run(notebook, tmp_path)]
    assert len(before) > 10
    for was, now in zip(before, after, strict=True):
        assert now == was  # `python -m tests.notebook docs/analysis.ipynb` writes them anew
