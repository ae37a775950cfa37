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
from pathlib import Path

from agents import find_specs
from bench.evaluations import evaluate, print_comparisons, write_agent, write_report, write_yaml

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


def write_agents(folder: Path, mean: Path) -> dict[str, str]:
    """Name → file of the five agents that are told something, and of the constant one."""
    base, planner = find_specs([BASE, PLANNER])
    assert base.template is not None
    files = {}
    for number, sentence in enumerate(SENTENCES, 1):
        told = base.template.model_copy(update={"addition": sentence})
        write_yaml(folder / f"prompt-{number}.yaml", told.model_dump(mode="json"))
        name = f"told-{number}"
        files[name] = write_agent(folder, name, BASE, prompt=f"prompt-{number}.yaml")
    steering = planner.spec.model_dump(mode="json", exclude_defaults=True)["steering"]
    steering |= {"planner": str(mean.resolve())}
    return files | {"constant": write_agent(folder, "judged-mean", BASE, steering=steering)}


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
    agents = write_agents(given.work, given.mean)
    options = ["--partners", BASE, "--judge", JUDGE, "--db", given.db]
    options += ["--threads", given.threads, "--live", given.live]
    told = {name: file for name, file in agents.items() if name != "constant"}
    chosen = evaluate(
        {"base": BASE, **told},
        [*options, "--scenarios", "library", "--seats", "first", "--quality", "0"],
    )
    write_report(given.work / "prompted.json", chosen)
    levels = {arm: chosen["arms"][arm]["levels"]["overall"]["mean"] for arm in told}
    best = max(told, key=lambda arm: levels[arm])
    print(f"{best}: {SENTENCES[int(best[-1]) - 1]} {levels}", flush=True)
    report = evaluate(
        {"base": BASE, "constant": agents["constant"], "prompted": told[best], "planner": PLANNER},
        [*options, "--scenarios", given.scenarios, "--repeats", given.repeats],
    )
    write_report(given.work / f"report-{given.scenarios}.json", report)
    print_comparisons(report)


if __name__ == "__main__":
    main()
