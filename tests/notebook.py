"""Runs a notebook without Jupyter: its cells top to bottom in one namespace, and what each of them shows.

    python -m tests.notebook docs/analysis.ipynb              # runs it in a temporary folder and writes its outputs into the file
    python -m tests.notebook docs/analysis.ipynb --in FOLDER  # runs it there, and leaves what it makes

Cells are plain Python, without magics. So the standard library does what a kernel would do, and CI need not install IPython,
ZeroMQ, Tornado and the two dozen other packages that nbclient and ipykernel bring.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import tempfile
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--in", dest="folder", type=Path)
    given = parser.parse_args()
    path: Path = given.notebook
    notebook = json.loads(path.read_text("utf-8"))
    if given.folder is not None:
        for _ in run(notebook, given.folder):
            pass
        return
    with tempfile.TemporaryDirectory() as folder:
        for cell, outputs in run(notebook, Path(folder)):
            cell["outputs"] = outputs
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run(notebook: Json, folder: Path) -> Iterator[tuple[Json, list[Json]]]:
    """Each code cell with its outputs, in order, run in a folder; the process works elsewhere again
    when it ends."""
    module = types.ModuleType("__main__")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for number, cell in enumerate(
            cell for cell in notebook["cells"] if cell["cell_type"] == "code"
        ):
            cell["execution_count"] = number + 1
            yield cell, _outputs("".join(cell["source"]), number + 1, module.__dict__)
    finally:
        os.chdir(before)


def shown(outputs: list[Json]) -> list[tuple[str, str]]:
    """What a reader sees, as text: (where, what)."""
    return [
        (
            str(output.get("name", output["output_type"])),
            "".join(output.get("text") or output["data"]["text/plain"]),
        )
        for output in outputs
    ]


def _outputs(source: str, number: int, namespace: dict[str, Any]) -> list[Json]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = _execute(source, f"cell {number}", namespace)
    notes = "".join(f"{one.category.__name__}: {one.message}\n" for one in caught)
    streams = [
        _stream(name, text)
        for name, text in (("stdout", out.getvalue()), ("stderr", notes))
        if text
    ]
    if value is None:
        return streams
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return [
        *streams,
        {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data},
    ]


def _execute(source: str, name: str, namespace: dict[str, Any]) -> Any:
    """Runs the statements, and gives the value of the last one where that is an expression."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307  # our own notebook


def _stream(name: str, text: str) -> Json:
    return {"output_type": "stream", "name": name, "text": text.splitlines(keepends=True)}


if __name__ == "__main__":
    main()
