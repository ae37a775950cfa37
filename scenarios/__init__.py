"""YAML in, Scenario out: the format, the loader, variants, the library, and the importer of
Sotopia's files.

Use it through `simworld` (`from simworld import load_scenario`); names are loaded on use, so that
importing this costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.loader import LoadedScenario as LoadedScenario
    from scenarios.loader import load_scenario as load_scenario
    from scenarios.scenario_file import scenario_json_schema as scenario_json_schema
    from scenarios.selection import find_scenarios as find_scenarios
    from scenarios.sotopia import import_sotopia as import_sotopia

__simworld__ = True  # the name fence looks for this mark: simworld/name_clash_check.py

_HOME = {
    "LoadedScenario": "scenarios.loader",
    "find_scenarios": "scenarios.selection",
    "import_sotopia": "scenarios.sotopia",
    "load_scenario": "scenarios.loader",
    "scenario_json_schema": "scenarios.scenario_file",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'scenarios' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
