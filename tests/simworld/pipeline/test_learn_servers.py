"""Loops whose judge is a server: its budget, its key, and what the same command does then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simworld.core.errors import BudgetSpent, Stopped
from tests.agents.lm.server.faults import FaultyServer, serving
from tests.factories.pipelines import FILE, call, run, skipped

RUBRIC = "name: one\ndimensions:\n  - {name: goal, range: [0, 10], question: 'Did {name} win?'}\n"


def verdict(body: dict[str, Any]) -> tuple[int, Any]:
    """A score from the length of the prompt, so that episodes differ."""
    prompt = body["messages"][-1]["content"]
    form = json.loads(prompt[prompt.rindex("of this form:\n") + len("of this form:\n") :])
    scores = {name: {"goal": {"reason": "so", "score": len(prompt) % 11}} for name in form}
    message = {"role": "assistant", "content": json.dumps(scores)}
    usage = {"prompt_tokens": 90, "completion_tokens": 10}
    return 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


@pytest.fixture
def server() -> Any:
    with serving() as made:
        made.rule = verdict
        yield made


def test_a_loop_stops_for_its_budget_or_its_key_and_goes_on(
    folder: Path, server: FaultyServer
) -> None:
    (folder / "one.yaml").write_text(RUBRIC)
    (folder / "far.yaml").write_text(
        f"name: far\nmodel: openai:m@{server.url}\nmethod: server\nretries: 0\nrubric: one.yaml\n"
    )
    text = FILE.replace(
        "{measure: lexical, pattern: '[a-z]'}",
        "{measure: judged, weights: {goal: 1}}\njudge: far.yaml",
    )
    text = text.replace("clone: {", "clone: null #")
    (folder / "loop.yaml").write_text(
        text.replace("{quality: 0}", "{quality: 0, arms: [base, planner], seats: first}")
    )
    server.rule = lambda body: (401, {"error": {"message": "who are you"}})
    stopped = run()
    assert isinstance(stopped.exception, Stopped)
    server.rule = verdict
    short = run("--budget-tokens", "250")
    assert isinstance(short.exception, BudgetSpent)
    asked = len(server.seen)
    (found,) = call()
    assert not skipped(found)["judge"]
    assert skipped(found)["collect"]
    assert found["report"]["judges"][0].startswith("far@")
    assert len(server.seen) > asked
    asked = len(server.seen)
    assert all(skipped(call()[0]).values())
    assert len(server.seen) == asked
