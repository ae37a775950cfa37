"""How agents speak: lengths, repetition, variety and perplexity, from a sample of what they
said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pandas as pd

from simworld.analysis.questions.mean_scores import count_seats, estimate_columns, family_notes
from simworld.analysis.questions.query_source import QuerySource, noted, table
from simworld.analysis.questions.scope import Scope, scope
from simworld.analysis.questions.seat_frames import seat_frames
from simworld.core.counts import counted
from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.errors import InputError
from simworld.results.language_quality import (
    LanguageQuality,
    distinct_share,
    measure_language,
    spoken_words,
)
from simworld.stats.intervals import Estimate, mean_from_sums
from store.sqlite_process import SqlRow

_SHARES = ("words", "empty_share", "repeated_share")  # means, so they have intervals


@dataclass(slots=True, kw_only=True)
class _SpokenSample:
    """What was read of one agent."""

    # by family
    seats: dict[str, list[tuple[Episode, str]]] = field(default_factory=lambda: defaultdict(list))
    # family → −log p of the replies, their tokens
    surprise: dict[str, tuple[float, int]] = field(default_factory=dict)
    replies: int = 0  # with a log-probability


def language(
    source: QuerySource,
    *,
    run: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
    most: int,
) -> pd.DataFrame:
    """See `Analysis.language`."""
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    counts = count_seats(seat_frames(source, among, ()), ["agent"])
    there = {agent: seats - failed for (agent,), (seats, failed) in counts.items()}
    if not any(there.values()):
        raise InputError(
            "every episode of this failed, so nobody said anything; see episodes() of"
            f" {source.where}"
        )
    samples = {agent: _read(source, among, agent, most) for agent, seats in there.items() if seats}
    words = {
        agent: spoken_words([seat for part in of.seats.values() for seat in part])
        for agent, of in samples.items()
    }
    # distinct-n falls as a text grows
    limit = min(sum(map(len, of_agent)) for of_agent in words.values())
    rows: list[SqlRow] = []
    for agent, of in samples.items():
        parts = {unit: measure_language({unit: seats})[unit] for unit, seats in of.seats.items()}
        for name in _SHARES:
            rows.append((agent, name, *estimate_columns(_mean(parts, of, name))))
        for n in (1, 2):
            value = distinct_share(words[agent], n, limit)
            rows.append((agent, f"distinct_{n}", value, None, None, len(words[agent]), len(parts)))
        if of.surprise:
            surprise = mean_from_sums(of.surprise)
            ends = (
                None if end is None else math.exp(end)
                for end in (surprise.mean, surprise.low, surprise.high)
            )
            rows.append((agent, "perplexity", *ends, of.replies, surprise.families))
    notes = family_notes(max(len(of.seats) for of in samples.values()))
    if most and any(seats > most for seats in there.values()):
        notes.append(
            f"{counted(most, 'episode of each agent was', 'episodes of each agent were')} read, "
            "drawn by their ids; most=0 reads all"
        )
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return noted(
        table(rows, {"agent": "", "measure": "", **numbers, "n": "int64", "families": "int64"}),
        notes,
    )


def _read(source: QuerySource, among: Scope, agent: str, most: int) -> _SpokenSample:
    """The seats of an agent whose episodes' ids come first; ids are hashes, so they are a random
    sample, the same each time.
    """
    sql = f"""
SELECT p.episode_id, p.seat, p.family, a.turn, a.position, a.seat, a.kind, a.text,
  a.logprob, a.new_tokens
FROM (
  SELECT s.episode_id, s.seat, e.family
  FROM episode_seats s CROSS JOIN episodes e -- so SQLite walks the ids, and stops soon
  WHERE e.id = s.episode_id AND e.ending <> 'failed' AND s.agent_name = :sampled
    AND {among.episodes()} AND {among.seats()}
  ORDER BY s.episode_id, s.seat
  {"LIMIT :most" if most else ""}
) p
JOIN acts a ON a.episode_id = p.episode_id
ORDER BY p.episode_id, p.seat, a.turn, a.position"""
    values = among.values | {"sampled": agent} | ({"most": most} if most else {})
    sample = _SpokenSample()
    for (_, seat, family), group in groupby(source.stream(sql, values), key=lambda row: row[:3]):
        rows = list(group)
        sample.seats[family].append((_episode(rows), seat))
        scored = [
            (row[8], row[9]) for row in rows if row[5] == seat and row[8] is not None and row[9]
        ]
        if scored:
            total, tokens = sample.surprise.get(family, (0.0, 0))
            added = -math.fsum(logprob for logprob, _ in scored)
            sample.surprise[family] = (total + added, tokens + sum(new for _, new in scored))
            sample.replies += len(scored)
    return sample


def _episode(rows: Sequence[SqlRow]) -> Episode:
    """What language needs of an episode: its acts."""
    turns = [
        Turn(
            index=turn,
            acts=tuple(
                Act(seat=row[5], action=Action(kind=ActionKind(row[6]), text=row[7]))
                for row in of_turn
            ),
        )
        for turn, of_turn in groupby(rows, key=lambda row: row[3])
    ]
    return Episode(
        scenario_id="",
        cast={},
        seed=0,
        turns=tuple(turns),
        ending=Ending.turn_limit,
        reason=Ending.turn_limit.value,
    )


def _mean(parts: Mapping[str, LanguageQuality], of: _SpokenSample, name: str) -> Estimate | None:
    """A mean over all families, from what it is in each."""
    sums = {}
    for family, quality in parts.items():
        value = getattr(quality, name)
        n = _acts(of.seats[family]) if name == "empty_share" else quality.utterances
        if value is not None and n:
            sums[family] = (value * n, n)
    return mean_from_sums(sums) if sums else None


def _acts(seats: Sequence[tuple[Episode, str]]) -> int:
    return sum(act.seat == seat for episode, seat in seats for act in episode.acts)
