"""Evaluations as the benchmarks run them: agents like another one, as files, and `simworld
evaluate` beside this program, so that the same call goes on where it stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from agents import find_specs

_KEPT = ("model", "prompt", "sampling")  # what an agent has of the one that it is like


def write_agent(folder: Path, name: str, like: str, **changes: Any) -> str:
    """The file of an agent with the model, prompt and sampling of another one, and with what is to
    be changed.
    """
    (found,) = find_specs([like])
    known = found.spec.model_dump(mode="json")
    content = {"name": name, **{key: known[key] for key in _KEPT}, **changes}
    return str(write_yaml(folder / f"{name}.yaml", content))


def write_yaml(path: Path, content: Mapping[str, Any]) -> Path:
    """The path, written; folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True), "utf-8")
    return path


def evaluate(arms: Mapping[str, str], options: Sequence[str]) -> dict[str, Any]:
    """The report of `simworld evaluate`. Raises CalledProcessError where it does not end well."""
    command = [sys.executable, "-m", "simworld", "evaluate", "--json", *options]
    agents = ",".join(f"{arm}={agent}" for arm, agent in arms.items())
    done = subprocess.run([*command, "--agents", agents], stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Writes a report as JSON."""
    path.write_text(json.dumps(report, indent=1), "utf-8")


def print_comparisons(report: Mapping[str, Any]) -> None:
    """A line of JSON for each comparison by the main measure."""
    for comparison in report["comparisons"]:
        names = {name: value for name, value in comparison.items() if name != "measures"}
        print(json.dumps(names | (comparison["measures"][report["main"]] or {})))
