"""Which code made a row: the released version, and in a git checkout the commit."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import simworld

_HOME = Path(__file__).resolve().parent.parent
_GIT_S = 5.0  # git on a network drive may hang; the version is worth no more than that


@functools.cache
def code_version() -> str:
    """`0.2.0` of an installed package, `0.2.0+g378ee6c0b1c2` of a checkout; `.dirty` after it:
    tracked files were changed.
    """
    return described(simworld.__version__, _HOME)


def described(version: str, home: Path) -> str:
    """The version with the commit of the checkout at `home`; the version alone where there is no
    checkout, or no git.
    """
    if not (home / ".git").exists():
        return version
    ask = ["git", "-C", str(home), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=_GIT_S, check=True)
    except (OSError, subprocess.SubprocessError):  # no git, or a folder that git does not trust
        return version
    commit, _, changed = done.stdout.strip().partition("-")
    return f"{version}+g{commit}{'.dirty' if changed else ''}"
