"""The English prompts of the shipped scenarios, byte for byte: planners were trained on them, and
agents' ids name them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from agents.prompting import PROMPTS_FOLDER, PromptTemplate, build_prompt, stop_strings
from scenarios.selection import read_folder
from scenarios.shipped_folders import EXAM_FOLDER, HELDOUT_FOLDER, LIBRARY_FOLDER
from simworld.core.episode import Act, Action, ActionKind, Turn
from simworld.core.scenario import Scenario
from simworld.core.visibility import observe
from simworld.yamlfile import load_yaml, parse

GOLDEN = Path(__file__).parent / "golden_prompts.json"
KINDS = (
    ActionKind.speak,
    ActionKind.non_verbal,
    ActionKind.none,
    ActionKind.action,
    ActionKind.speak,
)


def history(scenario: Scenario) -> tuple[Turn, ...]:
    """Every kind of act: in the open by all seats, then a whisper, and the last seat leaves."""
    seats = [seat.name for seat in scenario.seats]
    acts = [
        Act(
            seat=seats[i % len(seats)],
            action=Action(kind=kind, text="" if kind is ActionKind.none else f"act {i}"),
        )
        for i, kind in enumerate(KINDS)
    ]
    acts.append(
        Act(seat=seats[0], action=Action(kind=ActionKind.speak, text="between us", to=(seats[1],)))
    )
    acts.append(Act(seat=seats[-1], action=Action(kind=ActionKind.leave, text="Good night.")))
    return tuple(Turn(index=i, acts=(act,)) for i, act in enumerate(acts))


def digest(scenario: Scenario, seat: str, prompt: str) -> str:
    """16 hex digits over the prompts of a seat at the start and after every kind of act, and where
    replies stop."""
    template = parse(load_yaml(PROMPTS_FOLDER / f"{prompt}.yaml"), PromptTemplate)
    turns = history(scenario)
    sent = [
        [dataclasses.asdict(build_prompt(template, seen)), stop_strings(template, seen)]
        for n in (0, 3, len(turns))
        for seen in [observe(scenario, seat, turns[:n], n, 0)]
    ]
    return hashlib.sha256(json.dumps(sent, ensure_ascii=False).encode()).hexdigest()[:16]


def digests(prompt: str) -> dict[str, str]:
    """`scenario/seat` → digest, of the library, the held-out set and the test set."""
    shipped = (
        *read_folder(LIBRARY_FOLDER),
        *read_folder(HELDOUT_FOLDER),
        *read_folder(EXAM_FOLDER),
    )
    scenarios = [loaded.scenario for loaded in shipped]
    return {
        f"{s.name}/{seat.name}": digest(s, seat.name, prompt) for s in scenarios for seat in s.seats
    }


@pytest.mark.parametrize("prompt", ["chat", "script"])
def test_the_shipped_scenarios_prompts_are_what_they_were(prompt: str) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))[prompt]
    assert len(golden) >= 2 * (61 + 32 + 40)
    assert digests(prompt) == golden
