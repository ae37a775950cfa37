"""What `run --dry-run` prints: the episodes of a plan, and which of them are there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless, print_json

if TYPE_CHECKING:
    from simworld.runner.run_plan import PlannedEpisode, RunPlan


def show_plan(
    plan: RunPlan,
    agent_ids: Mapping[str, str],
    db: str | None,
    *,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Prints what a run would play; `db` is None where there is no database yet."""
    from simworld.runner.stored_run import due_episodes
    from store import open_store

    planned: Sequence[PlannedEpisode] = plan.planned_episodes(agent_ids)
    due = planned
    if db is not None:
        with open_store(db) as store:
            due = due_episodes(planned, store, plan.run, retry_failed=retry_failed)
    due_keys = {episode.item.key for episode in due}
    if as_json:
        print_json(_plan_json(plan, agent_ids, planned, due_keys), indent=1)
        return
    table = grid("scenario", "cast", "episodes", "to play", "seeds", right=("episodes", "to play"))
    for episodes in _group_by_cast(planned).values():
        first, seeds = episodes[0], [str(episode.seed) for episode in episodes]
        cast = ", ".join(f"{seat}={name}" for seat, name in first.seating.items())
        to_play = sum(episode.item.key in due_keys for episode in episodes)
        seed_text = ", ".join(seeds[:2]) + (", …" if len(seeds) > 2 else "")
        count = str(len(episodes))
        table.add_row(cell(first.scenario.name), cell(cast), count, str(to_play), seed_text)
    console().print(table)
    to_play, total = len(due_keys), len(planned)
    counts = f"{to_play} to play, {total - to_play} already there, {total} planned"
    console().print(
        Text(harmless(f"run {plan.run}, seed {plan.seed}: {counts}. Nothing was played."))
    )


def _group_by_cast(
    planned: Sequence[PlannedEpisode],
) -> dict[tuple[str, str], list[PlannedEpisode]]:
    by_cast: dict[tuple[str, str], list[PlannedEpisode]] = {}
    for episode in planned:
        by_cast.setdefault((episode.scenario.name, repr(episode.seating)), []).append(episode)
    return by_cast


def _plan_json(
    plan: RunPlan, ids: Mapping[str, str], planned: Sequence[PlannedEpisode], due_keys: set[str]
) -> dict[str, object]:
    episodes = [
        {
            "scenario": episode.scenario.name,
            "scenario_id": episode.item.scenario_id,
            "cast": dict(episode.seating),
            "repeat": episode.item.repeat,
            "seed": episode.seed,
            "to_play": episode.item.key in due_keys,
        }
        for episode in planned
    ]
    counts = {"planned": len(planned), "already_there": len(planned) - len(due_keys)}
    return {"run": plan.run, "seed": plan.seed, **counts, "agents": dict(ids), "episodes": episodes}
