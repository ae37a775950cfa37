"""A folder in Sotopia's form with one environment and two characters, written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ENVIRONMENT: dict[str, Any] = {
    "pk": "01ENV",
    "codename": "borrow_money",
    "source": "hand-craft",
    "scenario": (
        'Two friends at a party. <p viewer="environment">One is broke.</p> <p viewer="agent_1">You'
        " saw them.</p>"
    ),
    "agent_goals": [
        (
            "Borrow money (<extra_info>Extra information: you need $3000.<strategy_hint>Hint: be"
            " nice.</strategy_hint></extra_info>)"
        ),
        "Keep your money (<clarification_hint>Hint: you have $2000.</clarification_hint>)",
    ],
    "relationship": 3,
    "age_constraint": "[(18, 70), (18, 70)]",
    "occupation_constraint": "nan",
    "agent_constraint": None,
}
ANN: dict[str, Any] = {
    "pk": "01ANN", "first_name": "Ann", "last_name": "O'Hara", "age": 45, "occupation": "Architect", "gender": "Woman",
    "gender_pronoun": "She/her", "public_info": "Ann paints.", "big_five": "Openness to Experience - Low",
    "moral_values": ["Care", "Loyalty"], "schwartz_personal_values": ["Conformity"],
    "personality_and_values": "Ann is meticulous.", "decision_making_style": "Analytical", "secret": "Has a twin",
    "model_id": "m1", "mbti": "ESTJ",
}  # fmt: skip
BO = {
    "pk": "01BOB",
    "first_name": "Bo",
    "last_name": "Li",
    "secret": "",
    "tag": "extra",
    "": "a name that is none",
}
COMBO: dict[str, Any] = {"pk": "01COMBO", "env_id": "01ENV", "agent_ids": ["01ANN", "01BOB"]}


def write(folder: Path, environment: Any = None, agents: Any = None, combos: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "environments.json").write_text(json.dumps(environment or {"01ENV": ENVIRONMENT}))
    (folder / "agents.json").write_text(json.dumps(agents or {"01ANN": ANN, "01BOB": BO}))
    (folder / "environment_agent_combos.json").write_text(json.dumps(combos or [COMBO]))
    return folder
