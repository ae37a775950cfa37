"""A whole loop at the size of a test: a tiny random model, four scenarios to train on and two to
test on."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from simworld.cli.learn import learn

SCENE = """\
name: {name}
setting: A {name}.
seats:
  - {{name: seller, persona: {{name: Ann Lee}}, goal: Sell the {name}.}}
  - {{name: buyer, persona: {{name: Bo Ek}}, goal: Buy it.}}
limits: {{turns: 4}}
"""
# About every second line of the random model has a small letter, so that rewards differ in every
# family.
FILE = """\
name: tiny
agent: plain.yaml
partners: [plain.yaml]
scenarios:
  train: [chair.yaml, boat.yaml, hat.yaml, dog.yaml]
  test: [lamp.yaml, door.yaml]
upmap: {tokens: 2, action_size: 4, act_norm: 2}
clone: {steps: 1, batch_size: 1, replies: 4, tested: 2}
reward: {measure: lexical, pattern: '[a-z]'}
train: {hidden: [8], loop: {steps: 4, batch_size: 4, every: 2, fqe: {steps: 5, hidden: [8]}}, td3bc: {alpha: 2}}
evaluate: {quality: 0}
"""
STAGES = ["upmap", "replies", "clone", "collect", "dataset", "train", "constant", "evaluate"]


def call(*args: str) -> Any:
    done = run(*args, "--json")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def run(*args: str) -> Result:
    return CliRunner().invoke(learn, ["loop.yaml", "--db", "x.db", "--threads", "1", *args])


def skipped(result: dict[str, Any]) -> dict[str, bool]:
    return {stage["stage"].rsplit("-", 1)[0]: stage["skipped"] for stage in result["stages"]}


def failed(result: dict[str, Any]) -> dict[str, int]:
    return {
        stage["stage"].rsplit("-", 1)[0]: stage["failed"]
        for stage in result["stages"]
        if stage["failed"]
    }
