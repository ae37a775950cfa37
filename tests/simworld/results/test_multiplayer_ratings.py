"""Ratings from tables of three: who is ranked first leads, goals of seats do not count, and order
does not matter."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simworld.results.multiplayer_ratings import (
    EPISODES_PER_AGENT,
    MultiplayerRater,
    MultiplayerRating,
)
from simworld.results.seat_scores import SeatScore, SeatScores, to_score_tables

pytest.importorskip("openskill")


def rate(*parts: list[SeatScore]) -> tuple[MultiplayerRating, ...]:
    tables = MultiplayerRater("overall")
    for scores in parts:
        for part in to_score_tables(scores):
            tables.add_scores(part)
    return tables.ratings()


def episode(
    number: int, values: dict[str, tuple[str, float]], *, family: str = "f"
) -> list[SeatScore]:
    """Seat → agent and score."""
    return [
        SeatScore(
            agent=agent,
            family=family,
            scenario="x",
            seat=seat,
            partners=tuple(other for name, (other, _) in values.items() if name != seat),
            repeat=number,
            episode=f"e{number}",
            values={"overall": value},
        )
        for seat, (agent, value) in values.items()
    ]


def test_who_does_best_in_every_seat_leads() -> None:
    turns = [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")] * 4
    strength = {"a": 0.2, "b": 0.1, "c": 0.0}
    # the first seat has the easiest goal; everybody sits there equally often
    easy = {"s": 0.5, "t": 0.0, "u": 0.2}
    scores = [
        score
        for number, names in enumerate(turns)
        for score in episode(
            number, {s: (n, easy[s] + strength[n]) for s, n in zip("stu", names, strict=True)}
        )
    ]
    found = rate(scores)
    assert [rating.agent for rating in found] == ["a", "b", "c"]
    assert found[0].mu > 25 > found[2].mu
    assert {rating.episodes for rating in found} == {12}
    shuffled = list(scores)
    random.Random(1).shuffle(shuffled)
    assert rate(shuffled) == found


def test_an_agent_with_two_seats_counts_once_and_two_seats_are_no_table() -> None:
    scores = episode(0, {"s": ("a", 0.9), "t": ("b", 0.1), "u": ("b", 0.2)})
    scores += episode(1, {"s": ("b", 0.1), "t": ("a", 0.9), "u": ("b", 0.2)})
    found = rate(scores)
    assert [(rating.agent, rating.episodes) for rating in found] == [("a", 2), ("b", 2)]
    assert rate(episode(0, {"s": ("a", 0.9), "t": ("b", 0.1)})) == ()


def numbered(scores: list[SeatScore], episodes: Sequence[int]) -> SeatScores:
    """One part, whose episodes have these numbers."""
    (part,) = to_score_tables(scores)
    return replace(part, episode=np.array(episodes, dtype=np.uint64))


def test_parts_may_come_in_any_order() -> None:
    turns = [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")]
    parts = [
        numbered(
            episode(
                n,
                {
                    s: (name, (n * i) % 7 / 7)
                    for i, (s, name) in enumerate(zip("stu", names, strict=True))
                },
            ),
            [n] * 3,
        )
        for n, names in enumerate(turns * 2)
    ]
    found = []
    for order in (parts, parts[::-1]):
        tables = MultiplayerRater("overall")
        for part in order:
            tables.add_scores(part)
        found.append(tables.ratings())
    assert found[0] == found[1]


def test_of_very_many_episodes_the_first_by_id_are_ranked() -> None:
    tables = MultiplayerRater("overall")
    most = 3 * EPISODES_PER_AGENT
    for start in range(0, most + 300, 100):
        scores = [
            score
            for n in range(start, start + 100)
            for score in episode(n, {"s": ("a", n % 5 / 5), "t": ("b", n % 3 / 3), "u": ("c", 0.5)})
        ]
        tables.add_scores(
            numbered(scores, [2**64 - 1 - n for n in range(start, start + 100) for _ in range(3)])
        )
    assert {rating.episodes for rating in tables.ratings()} == {most}
