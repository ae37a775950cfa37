"""Scenarios in a text, without a file."""

from __future__ import annotations

from pathlib import Path

from scenarios.loader import load_document
from scenarios.personas import PersonaFinder
from simworld.core.scenario import Scenario
from simworld.yamlfile import load_text


def parse_scenario(text: str, name: str = "scenario.yaml") -> tuple[Scenario, ...]:
    """As `load_scenario`; `name` stands for the file in messages."""
    return tuple(
        loaded.scenario
        for loaded in load_document(load_text(text, name), Path(name), PersonaFinder())
    )
