"""What a shell completes: names of agents, scenarios, judges, tournaments and runs, and YAML
files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from simworld.core.errors import SimworldError

MAX_RUNS = 200


def complete_agents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Agents of the library and files; the last one of `A,B` or of `SEAT=A,SEAT=B`."""
    from agents import library_agent_names

    cut = max(incomplete.rfind(","), incomplete.rfind("=")) + 1
    matching = _starting_with(
        [*library_agent_names(), *_yaml_files(incomplete[cut:])], incomplete[cut:]
    )
    return [incomplete[:cut] + name for name in matching]


def complete_scenarios(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Scenarios of the library, by file, its sets, and files."""
    from scenarios.shipped_folders import LIBRARY_FOLDER

    sets = ("library", "heldout", "exam", "languages")
    files = (path.stem for path in sorted(LIBRARY_FOLDER.glob("*.yaml")))
    return _starting_with([*sets, *files, *_yaml_files(incomplete)], incomplete)


def complete_judges(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Shipped judges and files."""
    from simworld.judging.judge_spec import builtin_judges

    return _starting_with([*builtin_judges(), *_yaml_files(incomplete)], incomplete)


def complete_tournaments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Tournaments by name, and files."""
    names = [path.stem for path in sorted(Path("tournaments").glob("*.yaml"))]
    return _starting_with([*names, *_yaml_files(incomplete)], incomplete)


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Runs of the database that the line names, newest first; none where it cannot be read."""
    from store import open_store

    try:
        with open_store(
            ctx.params.get("db") or "sqlite:///simworld.db", read_only=True, busy_timeout_s=1
        ) as store:
            names = [summary.run.name for summary in store.run_summaries()]
    except (SimworldError, OSError):
        return []
    return _starting_with(reversed(names[-MAX_RUNS:]), incomplete)


def _yaml_files(incomplete: str) -> list[str]:
    """The YAML files beside what is being typed."""
    folder = Path(incomplete.rpartition("/")[0] or ("/" if incomplete.startswith("/") else "."))
    try:
        return sorted(str(path) for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    except (OSError, ValueError):
        return []


def _starting_with(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
