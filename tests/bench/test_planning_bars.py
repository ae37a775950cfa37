"""The bars of the experiment on planning are decided as its page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.planning_bars import main


def report(*, z: dict[str, float], ratio_high: float = 1.1) -> dict[str, Any]:
    ratio = {"mean": 1.0, "low": 0.9, "high": ratio_high, "n": 400, "families": 40}
    return {
        "run": "r",
        "main": "rules",
        "arms": {
            "planner": {"quality": {"perplexity_ratio": ratio}},
            "base": {"quality": {"perplexity_ratio": None}},
        },
        "comparisons": [
            {
                "first": "planner",
                "second": arm,
                "measures": {
                    "rules": {
                        "mean": value / 10,
                        "low": value / 10 - 0.2,
                        "high": value / 10 + 0.2,
                        "z": value,
                        "p": 0.01,
                        "families": 40,
                    }
                },
            }
            for arm, value in z.items()
        ],
    }


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **reports: Any) -> int:
    for name, content in reports.items():
        (folder / f"{name.replace('_', '-')}.json").write_text(json.dumps(content))
    monkeypatch.setattr(sys, "argv", ["planning_bars", str(folder)])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_what_holds_and_what_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = report(z={"constant": 4.5, "clone": 6.0, "ridge": 0.1})
    assert run(tmp_path, monkeypatch, propose_then_thank=good) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    # two p values of .01 are known, so Holm doubles the first and keeps the second at that
    assert lines[0].endswith("+0.450 [+0.250, +0.650], z 4.50, Holm p 0.02, 40 families: holds")
    assert sum(line.endswith(": open") for line in lines) == 9
    assert lines[10].endswith("planner 1.00 [0.90, 1.10] of 400 replies: holds")


@pytest.mark.parametrize(
    ("z", "high"),
    [
        ({"constant": 4.0, "clone": 6.0, "ridge": 0.1}, 1.1),  # more than 4 is asked
        ({"constant": 4.5, "clone": 6.0, "ridge": -0.3}, 1.1),  # -.03 is below -.02
        ({"constant": 4.5, "clone": 6.0, "ridge": 0.1}, 1.21),
    ],
)
def test_what_does_not_hold_is_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, z: dict[str, float], high: float
) -> None:
    assert run(tmp_path, monkeypatch, propose_then_thank=report(z=z, ratio_high=high)) == 1
