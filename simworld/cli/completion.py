"""What a shell completes: names of agents, scenarios, judges, tournaments and runs, and YAML
files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from simworld.core.errors import SimworldError

MOST_RUNS = 200


def agents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Agents of the library and files; the last one of `A,B` or of `SEAT=A,SEAT=B`."""
    from agents import library_agent_names

    start = max(incomplete.rfind(","), incomplete.rfind("=")) + 1
    fitting = _fitting([*library_agent_names(), *_files(incomplete[start:])], incomplete[start:])
    return [incomplete[:start] + name for name in fitting]


def scenarios(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Scenarios of the library, by file, its sets, and files."""
    from scenarios.shipped_folders import LIBRARY_FOLDER

    names = [
        "library",
        "heldout",
        "exam",
        "languages",
        *(path.stem for path in sorted(LIBRARY_FOLDER.glob("*.yaml"))),
    ]
    return _fitting([*names, *_files(incomplete)], incomplete)


def judges(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Shipped judges and files."""
    from simworld.judging.judge_spec import builtin_judges

    return _fitting([*builtin_judges(), *_files(incomplete)], incomplete)


def tournaments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Tournaments by name, and files."""
    named = [path.stem for path in sorted(Path("tournaments").glob("*.yaml"))]
    return _fitting([*named, *_files(incomplete)], incomplete)


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Runs of the database that the line names, newest first; none where it cannot be read."""
    from store import open_store

    try:
        with open_store(
            ctx.params.get("db") or "sqlite:///simworld.db", read_only=True, busy_timeout_s=1
        ) as store:
            names = [summary.run.name for summary in store.run_summaries()]
    except (SimworldError, OSError):
        return []
    return _fitting(reversed(names[-MOST_RUNS:]), incomplete)


def _files(incomplete: str) -> list[str]:
    """The YAML files beside what is being typed."""
    folder = Path(incomplete.rpartition("/")[0] or ("/" if incomplete.startswith("/") else "."))
    try:
        return sorted(str(path) for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except (OSError, ValueError):
        return []


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
