"""Three kitchens, scripted people, and a judge at a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.lm.server.faults import FaultyServer, serving

SCENE = """\
name: kitchen-{n}
setting: A kitchen in the evening, number {n}.
seats:
  - {{name: cook, persona: {{name: Ann Lee}}, goal: Get help with the dishes.}}
  - {{name: guest, persona: {{name: Bo Ek}}, goal: Leave early.}}
limits: {{turns: 4}}
rubric: r.yaml
"""
RUBRIC = """\
name: r
dimensions:
  - {name: goal, range: [0, 10], question: 'Did {name} reach this: {goal}?'}
  - {name: manners, range: [-10, 0], question: 'Was {name} polite?'}
"""


def answer(body: dict[str, Any]) -> tuple[int, Any]:
    """Fills in the judge's form: who said please has reached 8, and the others 4."""
    prompt = next(m["content"] for m in body["messages"] if "of this form:\n" in m["content"])
    start = prompt.rindex("of this form:\n") + len("of this form:\n")
    form = json.loads(prompt[start:])
    scores = {"goal": 8 if "Please" in prompt else 4, "manners": -2}
    filled = {
        name: {d: {"reason": "because", "score": scores[d]} for d in asked}
        for name, asked in form.items()
    }
    message = {"role": "assistant", "content": json.dumps(filled)}
    usage = {"prompt_tokens": 90, "completion_tokens": 10}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as made:
        made.rule = answer
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer) -> Path:
    for n in range(3):
        (tmp_path / f"k{n}.yaml").write_text(SCENE.format(n=n))
    for name, line in {"rude": "Go away.", "polite": "Please come in.", "mute": "Hm."}.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nkind: scripted\nlines: [{line}, Well.]\n"
        )
    (tmp_path / "r.yaml").write_text(RUBRIC)
    (tmp_path / "j.yaml").write_text(
        f"name: j\nmodel: openai:judge@{server.url}\nmethod: server\nretries: 0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMWORLD_DB", "x.db")
    return tmp_path
