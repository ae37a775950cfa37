"""How the campaign counts, goes on, and bounds its cases."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaign.part import Finding, Outcome, Part, Told
from tests.campaign.report import faults, markdown, totals
from tests.campaign.runner import run_lanes
from tests.campaign.state import State
from tests.campaign.worker import Plan, Worker


class Counting:
    """A part that counts, and finds something in every third case."""

    def __init__(self, folder: Path) -> None:
        assert folder.is_dir()

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        found = (Finding(what="a third", detail=f"case {seed}"),) if seed % 3 == 0 else ()
        return Outcome(counts={"cases": 1, "sum": seed}, findings=found)

    def close(self) -> None: ...


class Misbehaving(Counting):
    """A part that never ends, takes all memory, dies, or raises."""

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        tell(f"step {seed}")
        match seed:
            case 0:
                time.sleep(60)
            case 1:
                bytearray(2**34)
            case 2:
                os._exit(3)
            case 3:
                raise ValueError("three")
        return Outcome(counts={"cases": 1})


def plan(make: Callable[[Path], Part]) -> Plan:
    return Plan(make=make, step_s=1.0, memory_bytes=2**33, share=1)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a new process import this module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def test_counts_add_up_from_call_to_call(tmp_path: Path) -> None:
    path = tmp_path / "campaign" / "state.db"
    lines: list[str] = []
    for found in (2, 1):  # cases 0 to 3, then 4 to 7
        state = State(path)
        assert (
            run_lanes([{"counting": plan(Counting)}], state, seconds=60, say=lines.append, cases=4)
            == found
        )
        state.close()
    state = State(path)
    assert state.counts() == {"counting": {"cases": 8, "sum": 28}}
    assert state.next_case("counting") == 8
    (one,) = state.findings()
    assert (one.what, one.seed, one.times, one.detail, one.mended) == (
        "a third",
        0,
        3,
        "case 0",
        "",
    )
    assert lines[-1] == "counting: 8 cases, 28 sum in all; cases 4 to 7 now"
    assert markdown(totals(state)).splitlines()[2] == "| counting | 8 cases, 28 sum | 0 | 1 | 1 |"
    assert faults(state) == "counting: a third: 3 cases, the first: --repeat counting:0"
    state.mend("counting", "a third")
    assert markdown(totals(state)).splitlines()[2] == "| counting | 8 cases, 28 sum | 0 | 1 | 0 |"
    state.add("counting", 9, Counting(tmp_path).run(9, tmp_path, lines.append), 0.0)
    (one,) = state.findings()  # it came back, and is told of by the case that showed it
    assert (one.seed, one.times, one.mended) == (9, 4, "")
    state.close()


def test_no_time_left_is_no_case(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    assert run_lanes([{"counting": plan(Counting)}], state, seconds=0, say=print) == 0
    assert state.counts() == {}
    state.close()


def test_a_case_is_bounded_and_the_next_one_runs() -> None:
    worker = Worker("misbehaving", plan(Misbehaving))
    try:
        (slow,), (large,), (dead,), (raised,) = (worker.run(seed).findings for seed in range(4))
        assert worker.run(4).counts == {"cases": 1}
    finally:
        worker.close()
    assert slow.what == "step 0: not done after 1 s"
    assert large.what.startswith("escaped: MemoryError")
    assert (dead.what, dead.detail) == ("step 2: the process died", "exit code 3")
    assert raised.what.startswith("escaped: ValueError")
