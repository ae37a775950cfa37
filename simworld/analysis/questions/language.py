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
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import Scope, ScopeFilters, resolve_scope
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

_MEANS = ("words", "empty_share", "repeated_share")  # means, so they have intervals


@dataclass(slots=True, kw_only=True)
class _SpokenSample:
    """What was read of one agent."""

    # by family
    seats: dict[str, list[tuple[Episode, str]]] = field(default_factory=lambda: defaultdict(list))
    # family → −log p of the replies, their tokens
    nll: dict[str, tuple[float, int]] = field(default_factory=dict)
    replies: int = 0  # with a log-probability


def language(source: QuerySource, filters: ScopeFilters, *, most: int) -> pd.DataFrame:
    """See `Analysis.language`."""
    scope = resolve_scope(source, **filters)
    counts = count_seats(seat_frames(source, scope, ()), ["agent"])
    ended = {agent: seats - failed for (agent,), (seats, failed) in counts.items()}
    if not any(ended.values()):
        raise InputError(
            "every episode of this failed, so nobody said anything; see episodes() of"
            f" {source.where}"
        )
    samples = {a: _sample(source, scope, a, most) for a, seats in ended.items() if seats}
    words = {
        agent: spoken_words([seat for part in sample.seats.values() for seat in part])
        for agent, sample in samples.items()
    }
    # distinct-n falls as a text grows
    limit = min(sum(map(len, of_agent)) for of_agent in words.values())
    rows: list[SqlRow] = []
    for agent, sample in samples.items():
        parts = {f: measure_language({f: seats})[f] for f, seats in sample.seats.items()}
        for name in _MEANS:
            rows.append((agent, name, *estimate_columns(_mean(parts, sample, name))))
        for n in (1, 2):
            value = distinct_share(words[agent], n, limit)
            rows.append((agent, f"distinct_{n}", value, None, None, len(words[agent]), len(parts)))
        if sample.nll:
            surprise = mean_from_sums(sample.nll)
            perplexities = (
                None if end is None else math.exp(end)
                for end in (surprise.mean, surprise.low, surprise.high)
            )
            rows.append((agent, "perplexity", *perplexities, sample.replies, surprise.families))
    notes = family_notes(max(len(sample.seats) for sample in samples.values()))
    if most and any(seats > most for seats in ended.values()):
        notes.append(
            f"{counted(most, 'episode of each agent was', 'episodes of each agent were')} read, "
            "drawn by their ids; most=0 reads all"
        )
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return with_notes(
        to_frame(rows, {"agent": "", "measure": "", **numbers, "n": "int64", "families": "int64"}),
        notes,
    )


def _sample(source: QuerySource, scope: Scope, agent: str, most: int) -> _SpokenSample:
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
    AND {scope.episode_condition()} AND {scope.seat_condition()}
  ORDER BY s.episode_id, s.seat
  {"LIMIT :most" if most else ""}
) p
JOIN acts a ON a.episode_id = p.episode_id
ORDER BY p.episode_id, p.seat, a.turn, a.position"""
    values = scope.params | {"sampled": agent} | ({"most": most} if most else {})
    sample = _SpokenSample()
    for (_, seat, family), group in groupby(source.stream(sql, values), key=lambda row: row[:3]):
        rows = list(group)
        sample.seats[family].append((_episode(rows), seat))
        scored = [
            (row[8], row[9]) for row in rows if row[5] == seat and row[8] is not None and row[9]
        ]
        if scored:
            total, tokens = sample.nll.get(family, (0.0, 0))
            added = -math.fsum(logprob for logprob, _ in scored)
            sample.nll[family] = (total + added, tokens + sum(new for _, new in scored))
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


def _mean(
    parts: Mapping[str, LanguageQuality], sample: _SpokenSample, name: str
) -> Estimate | None:
    """A mean over all families, from what it is in each."""
    sums = {}
    for family, quality in parts.items():
        value = getattr(quality, name)
        n = _count_acts(sample.seats[family]) if name == "empty_share" else quality.utterances
        if value is not None and n:
            sums[family] = (value * n, n)
    return mean_from_sums(sums) if sums else None


def _count_acts(seats: Sequence[tuple[Episode, str]]) -> int:
    return sum(act.seat == seat for episode, seat in seats for act in episode.acts)
