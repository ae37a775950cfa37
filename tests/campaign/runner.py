"""Dividing the minutes: two lanes at once, in each the parts one after another, every case written
down as it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.campaign.part import Outcome
from tests.campaign.state import State
from tests.campaign.worker import Plan, Worker

EVERY_S = 30.0  # between two lines of progress of a part


@dataclass(slots=True, kw_only=True)
class Lane:
    """Parts that run one after another."""

    parts: Mapping[str, Plan]
    seconds: float
    cases: int | None = None  # of each part, at most


def run_lanes(
    lanes: Sequence[Mapping[str, Plan]],
    state: State,
    *,
    seconds: float,
    say: Callable[[str], None],
    cases: int | None = None,
) -> int:
    """Runs all parts, and returns how many cases found something. Ctrl-C ends it with what was done
    kept.

    Args:
        lanes: parts by name; lanes run at once, each for the whole time.
        state: where it goes on, and where cases are written down.
        seconds: for each lane, divided among its parts by their shares.
        say: takes a line of progress.
        cases: of each part at most, whatever time is left.
    """
    stop = threading.Event()
    found: list[int] = []
    errors: list[BaseException] = []

    def work(lane: Lane) -> None:
        try:
            found.append(_run_lane(lane, state, say, stop))
        except BaseException as error:  # the boundary of a thread: raised again in the main one
            errors.append(error)
            stop.set()

    chosen = [Lane(parts=parts, seconds=seconds, cases=cases) for parts in lanes if parts]
    threads = [threading.Thread(target=work, args=(lane,)) for lane in chosen]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stop.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return sum(found)


def _run_lane(lane: Lane, state: State, say: Callable[[str], None], stop: threading.Event) -> int:
    left = sum(plan.share for plan in lane.parts.values())
    end = time.monotonic() + lane.seconds
    found = 0
    for name, plan in lane.parts.items():
        # What a part leaves over is the next one's.
        now = time.monotonic()
        found += _run_part(
            name, plan, state, say, stop, now + (end - now) * plan.share / left, lane.cases
        )
        left -= plan.share
    return found


def _run_part(
    name: str,
    plan: Plan,
    state: State,
    say: Callable[[str], None],
    stop: threading.Event,
    end: float,
    cases: int | None,
) -> int:
    worker = Worker(name, plan)
    first = seed = state.next_case(name)
    found = 0
    kinds: set[str] = set()  # of this call; a kind is told once
    told = time.monotonic()
    try:
        while (
            not stop.is_set() and time.monotonic() < end and (cases is None or seed < first + cases)
        ):
            began = time.monotonic()
            outcome = worker.run(seed)
            state.add(name, seed, outcome, time.monotonic() - began)
            new = dict.fromkeys(one.what for one in outcome.findings if one.what not in kinds)
            kinds.update(new)
            for what in new:
                say(f"{name}: found: {what} (--repeat {name}:{seed})")
            found += bool(outcome.findings)
            seed += 1
            if time.monotonic() - told > EVERY_S:
                told = time.monotonic()
                say(_progress(name, state))
    finally:
        worker.close()
    say(f"{_progress(name, state)}; cases {first} to {seed - 1} now")
    return found


def repeat_case(name: str, plan: Plan, seed: int) -> Outcome:
    """The outcome of one case again, written down nowhere."""
    worker = Worker(name, plan)
    try:
        return worker.run(seed)
    finally:
        worker.close()


def _progress(name: str, state: State) -> str:
    counts = state.counts().get(name, {})
    return (
        f"{name}:"
        f" {', '.join(f'{number:,} {what}' for what, number in counts.items()) or 'nothing yet'}"
        " in all"
    )
