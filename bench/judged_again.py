"""The judged result once more, as docs/experiments/2026-11-30-when-to-say-what.md plans it.

    python -m bench.judged_again --mean judged-mean --db judged.db --work judged          # on `exam`
    python -m bench.judged_again … --scenarios heldout --repeats 1                        # to try it

`--mean` is the folder that `simworld train constant --mean-of smol-judged` wrote. First the five
instructions are compared on the first seats of `library`, then the best of them plays beside
smol-script, smol-judged and the constant, each in both seats of `--scenarios`. Both are
`simworld evaluate`, so that the same command goes on where it stopped. The report is JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from agents import find_specs

# Written before any of them was tried.
SENTENCES = (
    "They are kind to each other, and they reach an agreement that both are glad of.",
    "{{name}} says thank you, and gets what they want by giving something in return.",
    "Everybody is friendly, keeps every secret, and gets what they want.",
    "At the end both agree on something, and thank each other.",
    "{{name}} asks what the other needs, and finds a way in which both win.",
)
JUDGE = "smol-statements"
BASE = "smol-script"
PLANNER = "smol-judged"


def write_agents(folder: Path, mean: Path) -> None:
    """The five agents that are told something, and the constant one, as files of a folder."""
    base, planner = find_specs([BASE, PLANNER])
    assert base.template is not None
    known = base.spec.model_dump(mode="json")
    content = {name: known[name] for name in ("model", "prompt", "sampling")}
    folder.mkdir(parents=True, exist_ok=True)
    for number, sentence in enumerate(SENTENCES, 1):
        told = base.template.model_copy(update={"addition": sentence})
        _write_yaml(folder / f"prompt-{number}.yaml", told.model_dump(mode="json"))
        agent = {**content, "name": f"told-{number}", "prompt": f"prompt-{number}.yaml"}
        _write_yaml(folder / f"told-{number}.yaml", agent)
    steering = planner.spec.model_dump(mode="json", exclude_defaults=True)["steering"]
    fixed = {**content, "name": "judged-mean"}
    _write_yaml(
        folder / "judged-mean.yaml",
        fixed | {"steering": {**steering, "planner": str(mean.resolve())}},
    )


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")


def evaluate(arms: dict[str, str], options: list[str]) -> dict[str, Any]:
    """The report of `simworld evaluate`. Raises CalledProcessError where it does not end well."""
    command = [sys.executable, "-m", "simworld", "evaluate", "--partners", BASE, "--json"]
    agents = ",".join(f"{arm}={agent}" for arm, agent in arms.items())
    done = subprocess.run(
        [*command, "--agents", agents, "--judge", JUDGE, *options],
        stdout=subprocess.PIPE,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--mean", type=Path, required=True, help="folder of the constant action")
    parser.add_argument("--work", type=Path, required=True, help="folder for agents and reports")
    parser.add_argument("--db", required=True)
    parser.add_argument("--scenarios", default="exam")
    parser.add_argument("--repeats", default="2")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--live", default="32")
    given = parser.parse_args()
    write_agents(given.work, given.mean)
    options = ["--db", given.db, "--threads", given.threads, "--live", given.live]
    told = {f"told-{n}": str(given.work / f"told-{n}.yaml") for n in range(1, len(SENTENCES) + 1)}
    chosen = evaluate(
        {"base": BASE, **told},
        [*options, "--scenarios", "library", "--seats", "first", "--quality", "0"],
    )
    (given.work / "prompted.json").write_text(json.dumps(chosen, indent=1), "utf-8")
    levels = {arm: chosen["arms"][arm]["levels"]["overall"]["mean"] for arm in told}
    best = max(told, key=lambda arm: levels[arm])
    print(f"{best}: {SENTENCES[int(best[-1]) - 1]} {levels}", flush=True)
    report = evaluate(
        {
            "base": BASE,
            "constant": str(given.work / "judged-mean.yaml"),
            "prompted": told[best],
            "planner": PLANNER,
        },
        [*options, "--scenarios", given.scenarios, "--repeats", given.repeats],
    )
    (given.work / f"report-{given.scenarios}.json").write_text(
        json.dumps(report, indent=1), "utf-8"
    )
    for comparison in report["comparisons"]:
        overall = comparison["measures"]["overall"]
        print(
            json.dumps(
                {name: value for name, value in comparison.items() if name != "measures"} | overall
            )
        )


if __name__ == "__main__":
    main()
