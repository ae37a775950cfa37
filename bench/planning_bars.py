"""The bars of docs/experiments/2026-11-30-when-to-say-what.md, from the reports of its evaluations.

    python -m bench.planning_bars docs/experiments/data/when-to-say-what
    python -m bench.planning_bars learn-planning --labels thank-or-propose=evaluate-adf3d29a,…

A report is the JSON that the stage `evaluate` of `simworld learn NAME` leaves in its work folder;
in the folder given it is called NAME.json, or as `--labels` says. One line for each bar: what it
asks, what came, p as Holm corrects it over the first seven, and whether it holds. Bars of tasks
without a report are said to be open. Exit code 1 where one does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simworld.stats.paired_tests import holm_adjusted

PROPOSE, REPLY, EARN = "propose-then-thank", "thank-or-propose", "earn-thanks"
Reports = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZBar:
    """The planner must beat an arm by more than `z` standard errors."""

    task: str
    arm: str
    z: float


BARS = (
    ZBar(task=PROPOSE, arm="constant", z=4),
    ZBar(task=PROPOSE, arm="clone", z=4),
    ZBar(task=REPLY, arm="constant", z=4),
    ZBar(task=REPLY, arm="clock", z=3),
    ZBar(task=REPLY, arm="blind", z=3),
    ZBar(task=EARN, arm="gamma0", z=3),
    ZBar(task=EARN, arm="constant", z=4),
)
NOT_BELOW = -0.02  # of planner less ridge at γ 0, in deviations
OVER_RIDGE = 2  # z of planner less ridge, where γ is above 0
RATIO_END = 1.2  # of perplexities, planner to base: the upper end of the interval


def paired(report: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    """The comparison of the planner with an arm, on the reward."""
    for comparison in report["comparisons"]:
        if (comparison["first"], comparison["second"]) == ("planner", arm):
            found: Mapping[str, Any] = comparison["measures"][report["main"]]
            return found
    raise SystemExit(f"the report of run {report['run']} does not compare planner and {arm}")


def show(number: int, words: str, came: str, holds: bool | None) -> bool | None:
    verdict = {True: "holds", False: "DOES NOT HOLD", None: "open"}[holds]
    print(f"{number}. {words}: {came}: {verdict}")
    return holds


def z_bars(reports: Reports) -> list[bool | None]:
    """Bars 1 to 7."""
    known = [paired(reports[bar.task], bar.arm) for bar in BARS if bar.task in reports]
    corrected = iter(holm_adjusted([found["p"] for found in known]))
    outcomes: list[bool | None] = []
    for number, bar in enumerate(BARS, 1):
        words = f"{bar.task}: planner - {bar.arm}, z > {bar.z:g}"
        if bar.task not in reports:
            outcomes.append(show(number, words, "no report", None))
            continue
        found = paired(reports[bar.task], bar.arm)
        came = (
            f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}], z {found['z']:.2f},"
            f" Holm p {next(corrected):.2g}, {found['families']} families"
        )
        outcomes.append(show(number, words, came, found["z"] > bar.z))
    return outcomes


def ridge_bars(reports: Reports) -> list[bool | None]:
    """Bar 8: at γ 0 not below the regression, at γ above 0 better than it."""
    outcomes: list[bool | None] = []
    for task in (PROPOSE, REPLY, EARN):
        ahead = task == EARN
        words = f"{task}: planner - ridge " + (
            f"z > {OVER_RIDGE}, else the page says it" if ahead else f"not below {NOT_BELOW}"
        )
        if task not in reports:
            outcomes.append(show(8, words, "no report", None))
            continue
        found = paired(reports[task], "ridge")
        came = (
            f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}], z {found['z']:.2f}"
        )
        holds = found["z"] > OVER_RIDGE if ahead else found["mean"] >= NOT_BELOW
        outcomes.append(show(8, words, came, holds))
    return outcomes


def language_bars(reports: Reports) -> list[bool | None]:
    """Bar 9."""
    outcomes: list[bool | None] = []
    for task in (PROPOSE, REPLY, EARN):
        words = f"{task}: perplexity of the planner to base, upper end <= {RATIO_END}"
        if task not in reports:
            outcomes.append(show(9, words, "no report", None))
            continue
        ratios = {
            arm: values["quality"]["perplexity_ratio"]
            for arm, values in reports[task]["arms"].items()
            if values["quality"].get("perplexity_ratio")
        }
        if "planner" not in ratios:
            outcomes.append(show(9, words, "not measured", None))
            continue
        shown = {arm: ratios[arm] for arm in ("planner", "prompted") if arm in ratios}
        came = ", ".join(
            f"{arm} {r['mean']:.2f} [{r['low']:.2f}, {r['high']:.2f}] of {r['n']} replies"
            for arm, r in shown.items()
        )
        outcomes.append(show(9, words, came, ratios["planner"]["high"] <= RATIO_END))
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", default="", help="NAME=FILE without .json, …")
    given = parser.parse_args()
    names = dict(pair.split("=", 1) for pair in given.labels.split(",") if pair)
    reports = {}
    for task in (PROPOSE, REPLY, EARN):
        path = given.folder / f"{names.get(task, task)}.json"
        if path.is_file():
            reports[task] = json.loads(path.read_text("utf-8"))
    outcomes = z_bars(reports) + ridge_bars(reports) + language_bars(reports)
    if any(outcome is False for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
