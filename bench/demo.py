"""Where the time of `simworld demo` goes: wall and processor seconds of each part, in a new database; JSON lines.

    python -m bench.demo                               # as it is run, with all cores
    OMP_NUM_THREADS=1 python -m bench.demo --rounds 1  # processor seconds, where other programs share the cores

Processor seconds on a busy machine say what the work is; wall seconds say how long it takes there. The weights must have been
fetched and converted before (`simworld model fetch`), as `make` does. Each round runs in a process of its own; `announced_s` is
what the demo would have told beforehand.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

Parts = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--scenarios",
        type=int,
        help="each makes two conversations; default: as many as the demo takes",
    )
    parser.add_argument("--here", action="store_true", help="one round, in this process")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.scenarios)))
        return
    print(json.dumps({"processor": _processor(), "machine": platform.machine()}), flush=True)
    more = [] if args.scenarios is None else ["--scenarios", str(args.scenarios)]
    for _ in range(args.rounds):
        ran = subprocess.run(
            [sys.executable, "-m", "bench.demo", "--here", *more],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(ran.stdout, end="", flush=True)


def measure(scenarios: int | None) -> dict[str, Any]:
    """Seconds by part: `wall_s` and `cpu_s`, of this process and its children."""
    parts: Parts = {}
    with timed(parts, "imports"):
        from simworld.cli.run_command import wait_passively

        wait_passively()  # as the command line does, before torch is loaded
        from simworld.cli.demo import DEFAULT_SCENARIO_COUNT, demo_plan, judge_demo, write_page
        from simworld.cli.demo_time import estimate_seconds
        from simworld.runner.agent_pool import load_agents
        from simworld.runner.stored_run import play_missing
        from store import open_store
    count = scenarios or DEFAULT_SCENARIO_COUNT
    with timed(parts, "announcing"):
        announced = estimate_seconds(2 * count, None)
    with tempfile.TemporaryDirectory() as folder:
        with timed(parts, "scenarios and store"):
            plan = demo_plan(count, 0)
            opened = open_store(str(Path(folder) / "demo.db"), create=True)
        with opened as store:
            with ExitStack() as stack:
                with timed(parts, "loading"):
                    agent_pool = stack.enter_context(load_agents(plan.specs.values()))
                with timed(parts, "playing"):
                    done = play_missing(plan, agent_pool, store)
                with timed(parts, "judging"):
                    judge_demo(store, plan.run, agent_pool)
            with timed(parts, "page"):
                write_page(store, plan.run, Path(folder) / "demo.html")
    total = {
        unit: round(sum(part[unit] for part in parts.values()), 1) for unit in ("wall_s", "cpu_s")
    }
    play = done.profile.to_json()["parts"] if done.profile else {}
    return {
        "conversations": 2 * count,
        "new_tokens": done.new_tokens,
        "announced_s": round(announced),
        "all": total,
        "parts": parts,
        "playing_s": {name: part["seconds"] for name, part in play.items()},
    }


@contextmanager
def timed(parts: Parts, name: str) -> Iterator[None]:
    """Notes how long the block took."""
    wall, cpu = time.perf_counter(), _cpu_s()
    yield
    parts[name] = {
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(_cpu_s() - cpu, 1),
    }


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _processor() -> str:
    """As `lscpu` calls it, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )


if __name__ == "__main__":
    main()
