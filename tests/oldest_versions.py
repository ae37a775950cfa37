"""Constraints for pip that take the lowest version of everything that simworld needs, as
`pyproject.toml` allows it. `make oldest` installs and tests with them:

    python -m tests.oldest_versions > constraints.txt
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

HOME = Path(__file__).resolve().parents[1]
DEVELOPERS_EXTRAS = ("dev", "docs")


def lowest(requirements: Iterable[str]) -> list[str]:
    """`name==X` of each `name>=X`. Raises ValueError of one without a lower bound: nobody could say
    that it was tried.
    """
    pins = []
    for text in requirements:
        requirement = Requirement(text)
        bounds = [each.version for each in requirement.specifier if each.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"{text}: expected one lower bound, as in {requirement.name}>=1.0")
        pins.append(f"{requirement.name}=={bounds[0]}")
    return pins


def needed(project: Path = HOME / "pyproject.toml") -> list[str]:
    """What simworld needs to run, with all extras but those for its developers."""
    table = tomllib.loads(project.read_text("utf-8"))["project"]
    extras = table["optional-dependencies"]
    return [
        *table["dependencies"],
        *(
            each
            for name, listed in extras.items()
            if name not in DEVELOPERS_EXTRAS
            for each in listed
        ),
    ]


if __name__ == "__main__":
    sys.stdout.writelines(f"{pin}\n" for pin in lowest(needed()))
