"""What `run --dry-run` prints: the episodes of a plan, and which of them are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
from rich.text import Text

from simworld.cli.terminal import cell, console, grid
from simworld.cli.text import harmless, plain_json

if TYPE_CHECKING:
    from simworld.runner.run_plan import PlannedEpisode, RunPlan


def show_plan(
    plan: RunPlan, ids: Mapping[str, str], db: str | None, *, retry_failed: bool, as_json: bool
) -> None:
    """Prints what a run would play; `db` is None where there is no database yet."""
    from simworld.runner.stored_run import due_episodes
    from store import open_store

    planned: Sequence[PlannedEpisode] = plan.planned_episodes(ids)
    due = planned
    if db is not None:
        with open_store(db) as store:
            due = due_episodes(planned, store, plan.run, retry_failed=retry_failed)
    left = {episode.item.key for episode in due}
    if as_json:
        click.echo(plain_json(_plain(plan, ids, planned, left), indent=1))
        return
    table = grid("scenario", "cast", "episodes", "to play", "seeds", right=("episodes", "to play"))
    for rows in _by_cast(planned).values():
        first, seeds = rows[0], [str(row.seed) for row in rows]
        cast = ", ".join(f"{seat}={name}" for seat, name in first.seating.items())
        to_play = sum(row.item.key in left for row in rows)
        shown = ", ".join(seeds[:2]) + (", …" if len(seeds) > 2 else "")
        table.add_row(cell(first.scenario.name), cell(cast), str(len(rows)), str(to_play), shown)
    console().print(table)
    counts = (
        f"{len(left)} to play, {len(planned) - len(left)} already there, {len(planned)} planned"
    )
    console().print(
        Text(harmless(f"run {plan.run}, seed {plan.seed}: {counts}. Nothing was played."))
    )


def _by_cast(planned: Sequence[PlannedEpisode]) -> dict[tuple[str, str], list[PlannedEpisode]]:
    by_cast: dict[tuple[str, str], list[PlannedEpisode]] = {}
    for episode in planned:
        by_cast.setdefault((episode.scenario.name, repr(episode.seating)), []).append(episode)
    return by_cast


def _plain(
    plan: RunPlan, ids: Mapping[str, str], planned: Sequence[PlannedEpisode], left: set[str]
) -> dict[str, object]:
    episodes = [
        {
            "scenario": episode.scenario.name,
            "scenario_id": episode.item.scenario_id,
            "cast": dict(episode.seating),
            "repeat": episode.item.repeat,
            "seed": episode.seed,
            "to_play": episode.item.key in left,
        }
        for episode in planned
    ]
    counts = {"planned": len(planned), "already_there": len(planned) - len(left)}
    return {"run": plan.run, "seed": plan.seed, **counts, "agents": dict(ids), "episodes": episodes}
