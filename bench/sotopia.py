"""Splits imported Sotopia scenarios by family into train, dev and test folders, for experiments that must not see the test's
families.

    simworld scenario import-sotopia DATA --out sotopia
    python -m bench.sotopia sotopia --out split --turns 8 --each 2

A family's part hangs on its name alone: 40 % train, 20 % dev, 40 % test.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml


def assign_split(family: str) -> str:
    share = int(hashlib.sha256(family.encode()).hexdigest()[:8], 16) / 16**8
    return "train" if share < 0.4 else "dev" if share < 0.6 else "test"


def split(source: Path, out: Path, turns: int, each: int) -> dict[str, int]:
    """Copies the first `each` scenarios of every family, cut at `turns`; how many families each
    part has."""
    families: dict[str, list[tuple[Path, dict[str, Any]]]] = defaultdict(list)
    for path in sorted(source.glob("*.yaml")):
        scenario = yaml.safe_load(path.read_text("utf-8"))
        families[scenario["family"]].append((path, scenario))
    counts: dict[str, int] = defaultdict(int)
    for family, scenarios in families.items():
        folder = out / assign_split(family)
        folder.mkdir(parents=True, exist_ok=True)
        counts[folder.name] += 1
        for path, scenario in scenarios[:each]:
            scenario["limits"]["turns"] = turns
            (folder / path.name).write_text(
                yaml.safe_dump(scenario, allow_unicode=True, sort_keys=False), "utf-8"
            )
    for part in counts:
        shutil.copytree(source / "personas", out / part / "personas", dirs_exist_ok=True)
    return dict(counts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--each", type=int, default=2, help="scenarios of a family")
    args = parser.parse_args()
    print(split(args.source, args.out, args.turns, args.each))
