"""Scenarios as stored JSON and back: every field written out, so that a later change of a default
changes no stored scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from simworld.core.judgement import rubric_from_json
from simworld.core.scenario import (
    ENGLISH,
    Check,
    CheckKind,
    Limits,
    Persona,
    Relationship,
    Scenario,
    Seat,
    TurnOrder,
)


def scenario_content(scenario: Scenario) -> dict[str, Any]:
    """What the seats and the engine read, and the rubric that came with the scenario, as JSON
    data.
    """
    content: dict[str, Any] = {
        "setting": scenario.setting,
        "seats": [asdict(seat) for seat in scenario.seats],
        "relationships": [
            [a, b, relationship.value] for (a, b), relationship in scenario.relationships.items()
        ],
        "order": scenario.order.value,
        "limits": asdict(scenario.limits),
        "checks": [asdict(check) | {"kind": check.kind.value} for check in scenario.checks],
    }
    if scenario.language != ENGLISH:  # left out before there were others
        content["language"] = scenario.language
    if scenario.own_rubric is not None:
        content["rubric"] = asdict(scenario.own_rubric)
    return content


def scenario_row(scenario: Scenario) -> dict[str, Any]:
    """The row of the table `scenarios`."""
    return {
        "id": scenario.id,
        "name": scenario.name,
        "title": scenario.title,
        "family": scenario.family,
        "kind": scenario.kind,
        "tags": list(scenario.tags),
        "rubric": scenario.rubric,
        "judge_note": scenario.judge_note,
        "meta": dict(scenario.meta),
        "content": scenario_content(scenario),
    }


def scenario_from_row(row: RowMapping) -> Scenario:
    """The scenario of a row of the table `scenarios`."""
    content = row["content"]
    return Scenario(
        name=row["name"],
        setting=content["setting"],
        seats=tuple(
            Seat(**(seat | {"persona": Persona(**seat["persona"])})) for seat in content["seats"]
        ),
        relationships={(a, b): Relationship(value) for a, b, value in content["relationships"]},
        order=TurnOrder(content["order"]),
        limits=Limits(**content["limits"]),
        checks=tuple(_check_from_json(check) for check in content["checks"]),
        language=content.get("language", ENGLISH),
        title=row["title"],
        family=row["family"],
        kind=row["kind"],
        tags=tuple(row["tags"]),
        rubric=row["rubric"],
        own_rubric=rubric_from_json(content["rubric"]) if "rubric" in content else None,
        judge_note=row["judge_note"],
        meta=row["meta"],
    )


def _check_from_json(data: Mapping[str, Any]) -> Check:
    between = data["between"]
    return Check(
        **{
            **data,
            "kind": CheckKind(data["kind"]),
            "words": tuple(data["words"]),
            "between": None if between is None else (float(between[0]), float(between[1])),
        }
    )
