"""Each way of replying played as a constant, beside the constant that a fit chose.

    python -m bench.single_ways --data DATASET --planner PLANNER --constant CONSTANT \
        --db ways.db --work ways --scenarios heldout --partners smol-script

DATASET, PLANNER and CONSTANT are folders that `simworld learn NAME` left: the data that tried ways,
the planner, and the arm `constant`. The arms play both seats, once, and are compared by the
planner's reward. The same command again goes on where it stopped. The report is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from agents import find_specs
from agents.steering.checkpoint import load_checkpoint, save_checkpoint
from simworld.training.data.dataset_folder import load_transitions
from simworld.training.rl.constant_choice import find_ways

BASE = "smol-script"


def write_arms(work: Path, data: Path, constant: Path, planner: Path) -> dict[str, str]:
    """Arm → agent file, made in the folder: base, each way, the constant and the planner."""
    found = find_ways(load_transitions(data).actions)
    if found is None:
        raise SystemExit(f"{data}: these data did not try ways")
    checkpoint = load_checkpoint(constant)
    folders = {"constant": constant, "planner": planner}
    work.mkdir(parents=True, exist_ok=True)
    for number, action in enumerate(found[0], 1):
        folder = folders[f"way-{number}"] = work / f"way-{number}"
        info = checkpoint.info.derived(metrics={}, parent=checkpoint.id)
        save_checkpoint(
            folder, replace(checkpoint, info=info, constant=torch.from_numpy(action.copy()))
        )
    (spec,) = find_specs([BASE])
    known = spec.spec.model_dump(mode="json")
    content = {name: known[name] for name in ("model", "prompt", "sampling")}
    arms = {"base": BASE}
    for arm, folder in folders.items():
        agent = {"name": arm, **content, "steering": {"planner": str(folder.resolve())}}
        file = work / f"{arm}.yaml"
        file.write_text(yaml.safe_dump(agent, sort_keys=False, allow_unicode=True), "utf-8")
        arms[arm] = str(file)
    return arms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("data", "planner", "constant", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("db", "scenarios", "partners"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--live", default="32")
    given = parser.parse_args()
    arms = write_arms(given.work, given.data, given.constant, given.planner)
    command = [sys.executable, "-m", "simworld", "evaluate", "--json", "--quality", "0"]
    command += ["--agents", ",".join(f"{arm}={agent}" for arm, agent in arms.items())]
    command += ["--reward-of", str(given.planner)]
    for name in ("db", "scenarios", "partners", "threads", "live"):
        command += [f"--{name}", getattr(given, name)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    (given.work / "report.json").write_text(json.dumps(report, indent=1), "utf-8")
    main_measure = report["main"]
    for arm, of_arm in report["arms"].items():
        print(f"{arm}: {of_arm['levels'][main_measure]['mean']:+.3f}")
    for comparison in report["comparisons"]:
        difference = comparison["measures"][main_measure]
        print(json.dumps({"less": comparison["second"], "of": comparison["first"]} | difference))


if __name__ == "__main__":
    main()
