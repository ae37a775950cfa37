"""Each way of replying played as a constant, beside the constant that a fit chose.

    python -m bench.single_ways --data DATASET --planner PLANNER --constant CONSTANT \
        --db ways.db --work ways --scenarios heldout --partners smol-script

DATASET, PLANNER and CONSTANT are folders that `simworld learn NAME` left: the data that tried ways,
the planner, and the arm `constant`. First it says what each way was worth in those data. Then the
arms play both seats, once, and are compared by the planner's reward. The same command again goes on
where it stopped. The report is JSON.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents.steering.checkpoint import load_checkpoint, save_checkpoint
from bench.evaluations import evaluate, print_comparisons, write_agent, write_report
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
    steered = {
        arm: write_agent(work, arm, BASE, steering={"planner": str(folder.resolve())})
        for arm, folder in folders.items()
    }
    return {"base": BASE, **steered}


def print_values(data: Path) -> None:
    """What each way was worth an act in the data, and after an act of the same way: the mean
    reward in deviations, its standard error, and n.
    """
    transitions = load_transitions(data)
    found = find_ways(transitions.actions)
    if found is None:
        raise SystemExit(f"{data}: these data did not try ways")
    ways, way = found
    seat = transitions.episode_index  # of one seat in one episode
    rewards = transitions.rewards * np.bincount(seat)[seat]
    follows_itself = np.zeros(len(way), dtype=bool)
    follows_itself[1:] = (seat[1:] == seat[:-1]) & (way[1:] == way[:-1])
    for number in range(len(ways)):
        told = [
            f"{rewards[rows].mean():+.3f} ± {rewards[rows].std() / rows.sum() ** 0.5:.3f} (n {n})"
            for rows in (way == number, (way == number) & follows_itself)
            if (n := int(rows.sum()))
        ]
        print(f"way-{number + 1}: {', after itself '.join(told)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("data", "planner", "constant", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("db", "scenarios", "partners"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--live", default="32")
    given = parser.parse_args()
    print_values(given.data)
    arms = write_arms(given.work, given.data, given.constant, given.planner)
    options = ["--quality", "0", "--reward-of", str(given.planner)]
    for name in ("db", "scenarios", "partners", "threads", "live"):
        options += [f"--{name}", getattr(given, name)]
    report = evaluate(arms, options)
    write_report(given.work / "report.json", report)
    for arm, of_arm in report["arms"].items():
        print(f"{arm}: {of_arm['levels'][report['main']]['mean']:+.3f}")
    print_comparisons(report)


if __name__ == "__main__":
    main()
