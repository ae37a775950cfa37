"""A loop that stops by all families, on a tiny random model."""

from __future__ import annotations

from pathlib import Path

from agents.steering.checkpoint import load_checkpoint
from tests.factories.pipelines import FILE, call, skipped


def test_a_loop_says_whether_its_planner_is_a_constant(folder: Path) -> None:
    text = FILE.replace("loop: {", "loop: {stopping: cross_fitted, folds: 2, ")
    text = text.replace("evaluate: {", "evaluate: {arms: [base, planner], ")
    (folder / "loop.yaml").write_text(text)
    (result,) = call()
    info = load_checkpoint(folder / result["planner"]).info
    assert {"value", "constant_value", "gain", "gain_se"} <= info.metrics.keys()
    assert result["constant"] is info.constant
    assert info.constant is not (info.metrics["gain"] > info.metrics["gain_se"])
    assert info.data["settings"]["loop"]["stopping"] == "cross_fitted"
    again = call()[0]
    assert all(skipped(again).values())
    assert again["constant"] is result["constant"]
