"""One `simworld` command in this process, through the entry point that a user's shell calls."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from simworld import cli
from tests.campaign.part import Finding

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SHOWN = 2000  # characters of output kept in a finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended; `fault` is the traceback of what escaped, else empty."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str
    fault: str = ""


def run_command(args: Sequence[str]) -> Ran:
    """Runs `simworld ARGS`; an exception that would be a traceback for the user is kept as
    `fault`."""
    out, err = _Stream(), _Stream()
    before = sys.argv, sys.stdin
    sys.argv = ["simworld", *args]
    sys.stdin = io.StringIO("")
    code, fault = 0, ""
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:  # the boundary: recorded, and the campaign goes on
        code, fault = 1, name_of(error)
        err.write(traceback.format_exc())
    finally:
        sys.argv, sys.stdin = before
    return Ran(args=tuple(args), code=code, out=out.text(), err=err.text(), fault=fault)


def faults(ran: Ran, *, kind: str, codes: Sequence[int] = (0, 2)) -> list[Finding]:
    """What is wrong with how a command ended; `codes` are the exit codes that it may have."""
    shown = f"simworld {' '.join(ran.args)}\n{ran.err[-SHOWN:]}"
    if ran.fault:
        return [Finding(what=f"{kind}: traceback: {ran.fault}", detail=shown)]
    found = []
    if ran.code not in codes:
        found.append(Finding(what=f"{kind}: exit code {ran.code}", detail=shown))
    if ran.code and not ran.err.strip():
        found.append(Finding(what=f"{kind}: exit code {ran.code} without a word", detail=shown))
    if _CONTROLS.search(ran.err):
        found.append(Finding(what=f"{kind}: control characters in an error", detail=ascii(shown)))
    return found


def name_of(error: BaseException) -> str:
    """An exception's type and the last place of our own code in it: the same for the same fault."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if re.search(r"/(simworld|scenarios|agents|store)/", f.filename)]
    last = own[-1] if own else frames[-1]
    place = "/".join(last.filename.split("/")[-2:])
    return f"{type(error).__name__} in {place} {last.name}"


class _Stream(io.TextIOWrapper):
    """A terminal's stream in memory; as with a terminal, a byte stream lies below it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)

    def text(self) -> str:
        """What was written."""
        self.flush()
        data = self.buffer
        assert isinstance(data, io.BytesIO)
        return data.getvalue().decode(errors="replace")
