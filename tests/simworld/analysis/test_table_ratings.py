"""Ratings from tables of three: who is ranked first leads, goals of seats do not count, and order does not matter."""

from __future__ import annotations

import random

import pytest

from simworld.analysis.games import SeatScore
from simworld.analysis.table_ratings import rate_tables

pytest.importorskip("openskill")


def episode(number: int, values: dict[str, tuple[str, float]], *, family: str = "f") -> list[SeatScore]:
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
    easy = {"s": 0.5, "t": 0.0, "u": 0.2}  # the first seat has the easiest goal; everybody sits there equally often
    scores = [
        score
        for number, names in enumerate(turns)
        for score in episode(number, {s: (n, easy[s] + strength[n]) for s, n in zip("stu", names, strict=True)})
    ]
    found = rate_tables(scores, measure="overall")
    assert [rating.agent for rating in found] == ["a", "b", "c"]
    assert found[0].mu > 25 > found[2].mu
    assert {rating.episodes for rating in found} == {12}
    shuffled = list(scores)
    random.Random(1).shuffle(shuffled)
    assert rate_tables(shuffled, measure="overall") == found


def test_an_agent_with_two_seats_counts_once_and_two_seats_are_no_table() -> None:
    scores = episode(0, {"s": ("a", 0.9), "t": ("b", 0.1), "u": ("b", 0.2)})
    scores += episode(1, {"s": ("b", 0.1), "t": ("a", 0.9), "u": ("b", 0.2)})
    found = rate_tables(scores, measure="overall")
    assert [(rating.agent, rating.episodes) for rating in found] == [("a", 2), ("b", 2)]
    assert rate_tables(episode(0, {"s": ("a", 0.9), "t": ("b", 0.1)}), measure="overall") == ()
