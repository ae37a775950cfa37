"""Scenario out, YAML in: writes what the loader reads back as the same scenario."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import yaml

from scenarios.variants import LITERAL_KEYS
from simworld.core.scenario import (
    ENGLISH,
    Persona,
    Relationship,
    Scenario,
    TurnOrder,
    nondefaults,
)
from simworld.yamlfile.scalars import resolve_scalar

WIDTH = 110
_BRACE_PARAMETER = "brace"  # the parameter whose value is one brace
_DOUBLE_BRACE = re.compile(r"\{(?=\{)")


class _FlowMapping(dict[str, Any]):
    """A mapping written on one line."""


class _FlowList(list[Any]):
    """A list written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes texts so that a YAML 1.2 reader gets texts."""

    def ignore_aliases(self, data: Any) -> bool:
        """A value that occurs twice is written twice."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif not isinstance(resolve_scalar(text), str) or text == "<<":
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(
    _FlowMapping,
    lambda d, data: d.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True),
)
_Dumper.add_representer(
    _FlowList, lambda d, data: d.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def dump_scenario(scenario: Scenario, personas: Mapping[str, str] | None = None) -> str:
    """A scenario as YAML with the defaults left out; `personas` (seat → persona id) refers to files
    instead of writing them out.

    A variant's name has dots, which a file's name field has not: give it another name first.
    """
    data = scenario_data(scenario, personas or {})
    escaped = {key: value if key in LITERAL_KEYS else _escape(value) for key, value in data.items()}
    if escaped != data:
        escaped["parameters"] = _FlowMapping({_BRACE_PARAMETER: "{"})
    return _dump_yaml(escaped)


def _escape(data: Any) -> Any:
    """The data with every `{{` written so that the loader takes it for a text, and for no
    parameter.
    """
    if isinstance(data, str):
        return _DOUBLE_BRACE.sub(f"{{{{{_BRACE_PARAMETER}}}}}", data)
    if isinstance(data, dict):
        return type(data)({key: _escape(value) for key, value in data.items()})
    if isinstance(data, list):
        return type(data)(_escape(value) for value in data)
    return data


def dump_persona(persona: Persona) -> str:
    """A persona as the YAML of its file."""
    return _dump_yaml(nondefaults(persona))


def scenario_data(scenario: Scenario, personas: Mapping[str, str]) -> dict[str, Any]:
    """A scenario as the plain data of its file, in the order that people read."""
    family = scenario.family if scenario.family != scenario.name else ""
    data: dict[str, Any] = {
        "name": scenario.name,
        "title": scenario.title,
        "family": family,
        "kind": scenario.kind,
        "tags": _FlowList(scenario.tags),
        "setting": scenario.setting,
        "judge_note": scenario.judge_note,
        **_relationships(scenario),
        "seats": [
            {
                "name": seat.name,
                "persona": personas.get(seat.name) or nondefaults(seat.persona),
                "goal": seat.goal,
                "knows": seat.knows,
                "secret": seat.secret,
            }
            for seat in scenario.seats
        ],
        "order": scenario.order.value if scenario.order is not TurnOrder.round_robin else "",
        "limits": _FlowMapping(dataclasses.asdict(scenario.limits)),
        "checks": [_FlowMapping(nondefaults(check)) for check in scenario.checks],
        "language": scenario.language if scenario.language != ENGLISH else "",
        "rubric": scenario.rubric if scenario.rubric != "sotopia" else "",
        "meta": dict(scenario.meta),
    }
    data["seats"] = [{key: value for key, value in seat.items() if value} for seat in data["seats"]]
    return {key: value for key, value in data.items() if value}


def _relationships(scenario: Scenario) -> dict[str, Any]:
    pairs = list(combinations((seat.name for seat in scenario.seats), 2))
    kinds = {scenario.relationship(a, b) for a, b in pairs}
    if len(kinds) == 1:
        return {"relationship": kinds.pop().value}
    return {
        "relationships": [
            _FlowMapping({"between": [a, b], "is": scenario.relationship(a, b).value})
            for a, b in pairs
            if scenario.relationship(a, b) is not Relationship.stranger
        ]
    }


def _dump_yaml(data: Mapping[str, Any]) -> str:
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
