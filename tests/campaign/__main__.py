"""`python -m tests.campaign`: attack simworld for some minutes, from where the last call stopped.

Exit codes: 0, and nothing was found; 1, something was; 2, what is asked makes no sense.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.parts import LANES, PARTS
from tests.campaign.report import calls, faults, markdown, totals
from tests.campaign.runner import repeat_case, run_lanes
from tests.campaign.state import State

STATE = Path(__file__).parents[2] / "campaign" / "state.db"


def main(args: Sequence[str] | None = None) -> int:
    """Does what the options say, and returns the exit code."""
    given = options().parse_args(args)
    if given.repeat:
        return repeat(given.repeat)
    state = State(given.state)
    try:
        if given.table:
            print(markdown(totals(state)), markdown(calls(state)), sep="\n\n")
            return 0
        if given.faults:
            print(faults(state, detailed=True))
            return 0
        if given.again:
            return again(state)
        return attack(state, given)
    finally:
        state.close()


def options() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="for all parts together (default: 30)"
    )
    parser.add_argument(
        "--parts", type=names, default=tuple(PARTS), help=f"of {', '.join(PARTS)} (default: all)"
    )
    parser.add_argument("--cases", type=int, help="of each part at most")
    parser.add_argument(
        "--state",
        type=Path,
        default=STATE,
        help=f"the file of counts and findings (default: {STATE})",
    )
    parser.add_argument(
        "--repeat", type=case, metavar="PART:CASE", help="run one case again and show what it finds"
    )
    parser.add_argument(
        "--again", action="store_true", help="run the case of every open finding again"
    )
    parser.add_argument(
        "--table", action="store_true", help="print the totals and the calls as Markdown"
    )
    parser.add_argument("--faults", action="store_true", help="print every open finding in full")
    return parser


def names(text: str) -> tuple[str, ...]:
    """Names of parts, separated by commas."""
    found = tuple(name.strip() for name in text.split(","))
    if unknown := set(found) - set(PARTS):
        raise argparse.ArgumentTypeError(
            f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
    return found


def case(text: str) -> tuple[str, int]:
    """A part and the number of a case."""
    part, _, number = text.partition(":")
    if part not in PARTS or not number.isdigit():
        raise argparse.ArgumentTypeError(f"found {text!r}, expected PART:CASE, like files:17")
    return part, int(number)


def attack(state: State, given: argparse.Namespace) -> int:
    """Runs the parts for the minutes, then prints the totals."""
    command = shlex.join(["python", "-m", "tests.campaign", *sys.argv[1:]])
    call = state.begin_call(command)
    lanes = [{name: plan for name, plan in lane.items() if name in given.parts} for lane in LANES]
    found = run_lanes(lanes, state, seconds=given.minutes * 60, say=say, cases=given.cases)
    state.end_call(call)
    print(markdown(totals(state)), faults(state), sep="\n\n")
    return int(bool(found))


def again(state: State) -> int:
    """Runs the case of every open finding again; those that find nothing now are marked as
    mended."""
    left = 0
    for one in state.findings():
        if one.mended:
            continue
        seen = [
            finding.what for finding in repeat_case(one.part, PARTS[one.part], one.seed).findings
        ]
        if one.what in seen:
            left += 1
            say(f"{one.part}:{one.seed}: still {one.what}")
            continue
        state.mend(one.part, one.what)
        say(
            f"{one.part}:{one.seed}: no longer {one.what}"
            + (f", but {'; '.join(seen)}" if seen else "")
        )
        left += bool(seen)
    return int(bool(left))


def repeat(which: tuple[str, int]) -> int:
    """Runs one case again and prints what it did and found."""
    part, seed = which
    outcome = repeat_case(part, PARTS[part], seed)
    print(", ".join(f"{number} {name}" for name, number in outcome.counts.items()))
    for finding in outcome.findings:
        print(f"found: {finding.what}\n{finding.detail}")
    return int(bool(outcome.findings))


def say(line: str) -> None:
    """Prints a line at once, also into a file."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
