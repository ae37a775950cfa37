"""Rates measured on earlier work: an agent's turns and tokens in its last episodes, and the seconds
of timed commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simworld.judging.judging_pass import JudgingTally
from store import Store

MAX_RECENT = 200  # episodes of an agent, and commands, that rates are measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPace:
    """Means over an agent's last episodes."""

    turns: float
    written: float  # tokens per turn of the whole episode, partners' turns included
    read: float


def measure_pace(store: Store, agent: str) -> AgentPace | None:
    """An agent's pace; None where it has never had a turn."""
    recent = [e for e in store.episode_summaries(agent=agent, limit=MAX_RECENT) if e.turns]
    turns = sum(episode.turns for episode in recent)
    if not turns:
        return None
    return AgentPace(
        turns=turns / len(recent),
        written=sum(episode.new_tokens for episode in recent) / turns,
        read=sum(episode.prompt_tokens for episode in recent) / turns,
    )


def playing_minutes(store: Store, *, episodes: int, tokens: int) -> float | None:
    """By tokens per second where models write, else by episodes per second; None where no command
    like it was timed.
    """
    counter = "new_tokens" if tokens else "episodes"
    entries = [
        entry
        for entry in _timed_commands(store, "episodes")
        if bool(entry.get("new_tokens")) == bool(tokens)
    ]
    return _extrapolate(entries, counter, tokens or episodes)


def judging_minutes(store: Store, judge: str, judgements: int) -> float | None:
    """By judgements per second of this judge; None where none was timed."""
    entries = [e for e in _timed_commands(store, "judgements") if e.get("judge") == judge]
    return _extrapolate(entries, "judgements", judgements) if judgements else 0.0


def judging_profile_entry(
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


def _extrapolate(entries: list[Mapping[str, Any]], counter: str, planned: int) -> float | None:
    recent = entries[-MAX_RECENT:]
    done = sum(entry[counter] for entry in recent)
    return planned * sum(entry["wall_s"] for entry in recent) / done / 60 if done else None


def _timed_commands(store: Store, counter: str) -> Iterator[Mapping[str, Any]]:
    for summary in store.run_summaries():
        for entry in (summary.run.profile or {}).get("commands", ()):
            if entry.get("wall_s") and counter in entry:
                yield entry
