"""A process that runs the cases of one part, bounded in time and memory, and started again when it
dies.

The process leads a group of its own, so that what it starts goes with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tests.campaign.command import name_of
from tests.campaign.part import Finding, Outcome, Part

SPAWN = multiprocessing.get_context("spawn")
START_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a part is run: who makes it, what each step may take, and its share of the time."""

    make: Callable[[Path], Part]
    step_s: float  # of one step of a case
    memory_bytes: int | None  # of address space; None where other programs are started
    share: float


class Worker:
    """Runs cases, one at a time, in a process that is made when it is needed."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._name, self._plan = name, plan
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))

    def run(self, seed: int) -> Outcome:
        """The outcome of a case; a process that died or did not end in time is a finding."""
        pipe = self._ready()
        step = "start"
        try:
            pipe.send(seed)
            while True:
                if not pipe.poll(self._plan.step_s):
                    self.stop()
                    limit = f"not done after {self._plan.step_s:g} s"
                    return Outcome(
                        counts={"stopped": 1}, findings=(Finding(what=f"{step}: {limit}"),)
                    )
                told = pipe.recv()
                if isinstance(told, Outcome):
                    return told
                step = told
        except (EOFError, OSError):
            ended = self._exit_code()
            self.stop()
            return Outcome(
                findings=(Finding(what=f"{step}: the process died", detail=f"exit code {ended}"),)
            )

    def _exit_code(self) -> int | None:
        if self._process is None:
            return None
        self._process.join(5)
        return self._process.exitcode

    def stop(self) -> None:
        """Ends the process and everything it started."""
        if self._process is None:
            return
        if self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._process = self._pipe = None

    def close(self) -> None:
        """Lets the process end by itself, and removes its folder."""
        if self._pipe is not None and self._process is not None:
            try:
                self._pipe.send(None)
                self._process.join(20)
            except OSError:
                pass  # it died
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ready(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        ours, theirs = SPAWN.Pipe()
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        self._process = SPAWN.Process(
            target=_serve, args=(self._plan, theirs, folder), name=self._name
        )
        self._process.start()
        theirs.close()
        self._pipe = ours
        if not ours.poll(START_S):
            self.stop()
            raise TimeoutError(f"part {self._name} did not start within {START_S:g} s")
        told = ours.recv()
        if told != "ready":
            self.stop()
            raise RuntimeError(f"part {self._name} cannot start:\n{told}")
        return ours


def _serve(plan: Plan, pipe: Connection, folder: Path) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the campaign, which ends its workers
    if plan.memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (plan.memory_bytes, plan.memory_bytes))
    try:
        part = plan.make(folder)
    except Exception:  # the boundary: told to the campaign, which cannot go on
        pipe.send(traceback.format_exc())
        return
    pipe.send("ready")
    while (seed := _next(pipe)) is not None:
        case = Path(tempfile.mkdtemp(dir=folder))
        try:
            outcome = part.run(seed, case, pipe.send)
        except Exception as error:  # the boundary: what escaped is what is looked for
            outcome = Outcome(
                findings=(
                    Finding(what=f"escaped: {name_of(error)}", detail=traceback.format_exc()),
                )
            )
        pipe.send(outcome)
        shutil.rmtree(case, ignore_errors=True)
    part.close()


def _next(pipe: Connection) -> int | None:
    try:
        seed: int | None = pipe.recv()
    except EOFError:  # the campaign was killed
        return None
    return seed
