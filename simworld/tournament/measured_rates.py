"""Rates measured on earlier work: an agent's turns and tokens in its last episodes, and the seconds
of timed commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simworld.judging.judging_pass import JudgingTally
from store import Store

RECENT = 200  # episodes of an agent, and commands, that rates are measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPace:
    """Means over an agent's last episodes."""

    turns: float
    written: float  # tokens per turn of the whole episode, partners' turns included
    read: float


def pace_of(store: Store, agent: str) -> AgentPace | None:
    """An agent's pace; None where it has never had a turn."""
    seen = [
        summary for summary in store.episode_summaries(agent=agent, limit=RECENT) if summary.turns
    ]
    turns = sum(summary.turns for summary in seen)
    if not turns:
        return None
    return AgentPace(
        turns=turns / len(seen),
        written=sum(summary.new_tokens for summary in seen) / turns,
        read=sum(summary.prompt_tokens for summary in seen) / turns,
    )


def playing_minutes(store: Store, *, episodes: int, tokens: int) -> float | None:
    """By tokens per second where models write, else by episodes per second; None where no command
    like it was timed.
    """
    unit = "new_tokens" if tokens else "episodes"
    timed = [
        entry
        for entry in _commands(store, "episodes")
        if bool(entry.get("new_tokens")) == bool(tokens)
    ]
    return _minutes(timed, unit, tokens or episodes)


def judging_minutes(store: Store, judge: str, judgements: int) -> float | None:
    """By judgements per second of this judge; None where none was timed."""
    timed = [entry for entry in _commands(store, "judgements") if entry.get("judge") == judge]
    return _minutes(timed, "judgements", judgements) if judgements else 0.0


def judging_entry(
    judge: str, tally: JudgingTally, *, started: str, wall_s: float
) -> dict[str, Any]:
    """What a pass of a judge leaves in the run's profile, for `judging_minutes`."""
    judgements = tally.scored + tally.failed
    return {
        "started": started,
        "judge": judge,
        "judgements": judgements,
        "wall_s": round(wall_s, 3),
    }


def _minutes(timed: list[Mapping[str, Any]], unit: str, wanted: int) -> float | None:
    done = sum(entry[unit] for entry in timed[-RECENT:])
    return wanted * sum(entry["wall_s"] for entry in timed[-RECENT:]) / done / 60 if done else None


def _commands(store: Store, unit: str) -> Iterator[Mapping[str, Any]]:
    for summary in store.run_summaries():
        for entry in (summary.run.profile or {}).get("commands", ()):
            if entry.get("wall_s") and unit in entry:
                yield entry
