"""All extension points, in the order in which they are listed."""

from __future__ import annotations

from typing import Any

from agents.agent_kinds import AGENT_KINDS
from simworld.extensions import ExtensionTable
from simworld.judging.judge_methods import JUDGE_METHODS


def extension_tables() -> tuple[ExtensionTable[Any], ...]:
    """The table of each extension point."""
    return (AGENT_KINDS, JUDGE_METHODS)
