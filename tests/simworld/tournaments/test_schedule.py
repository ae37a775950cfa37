"""Matches worked out by hand, and that another agent changes none of them."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from simworld.core.scenario import Scenario
from simworld.testing.fakes import example_scenario
from simworld.tournaments.schedule import (
    Match,
    cast_matches,
    fixed_partner_matches,
    focal_matches,
    round_robin_matches,
    swiss_matches,
    swiss_pairs,
)

NAMES = st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=8, unique=True)


def test_formats() -> None:
    assert round_robin_matches("ab") == (
        Match("a", "a"),
        Match("a", "b"),
        Match("b", "a"),
        Match("b", "b"),
    )
    assert round_robin_matches("ab", self_play=False) == (Match("a", "b"), Match("b", "a"))
    assert fixed_partner_matches("ab", ["p"]) == (Match("a", "p"), Match("b", "p"))
    # The focal agent beside each, each beside it, each beside itself; b and c never sit together.
    assert set(focal_matches("abc", "a")) == {
        Match("a", "a"), Match("a", "b"), Match("a", "c"), Match("b", "a"), Match("c", "a"), Match("b", "b"), Match("c", "c"),
    }  # fmt: skip
    assert set(swiss_matches([("a", "b")])) == set(round_robin_matches("ab"))


def test_every_seat_of_three() -> None:
    casts = [
        tuple(cast.values())
        for _, cast in cast_matches([example_scenario()], [Match("a", "p")], "both")
    ]
    assert casts == [("a", "p", "p"), ("p", "a", "p"), ("p", "p", "a")]
    assert [
        tuple(c.values())
        for _, c in cast_matches([example_scenario()], [Match("a", "p")], "second")
    ] == [casts[1]]


@given(NAMES)
def test_another_agent_adds_matches_and_changes_none(names: list[str]) -> None:
    fewer = names[:-1]
    assert set(round_robin_matches(fewer)) <= set(round_robin_matches(names))
    assert set(focal_matches(fewer, names[0])) <= set(focal_matches(names, names[0]))
    assert set(fixed_partner_matches(fewer, "pq")) <= set(fixed_partner_matches(names, "pq"))
    new = set(round_robin_matches(names)) - set(round_robin_matches(fewer))
    assert all(names[-1] in (match.agent, match.partner) for match in new)


def partners_of(
    scenario: Scenario, matches: Sequence[Match]
) -> dict[str, set[tuple[str, tuple[str, ...]]]]:
    """Agent → the cells in which it sits: the seat, and who holds the others."""
    found: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for _, cast in cast_matches([scenario], matches, "both"):
        for seat, agent in cast.items():
            others = tuple(other for name, other in cast.items() if name != seat)
            found.setdefault(agent, set()).add((seat, others))
    return found


@given(NAMES)
def test_in_a_round_robin_of_two_seats_all_meet_the_same_partners(names: list[str]) -> None:
    scenario = example_scenario()
    two = replace(scenario, seats=scenario.seats[:2], relationships={})
    met = partners_of(two, round_robin_matches(names))
    assert all(cells == met[names[0]] for cells in met.values())
    alone = partners_of(two, round_robin_matches(names, self_play=False))
    assert not all(cells == alone[names[0]] for cells in alone.values())
    # of three seats: who is not there cannot sit between two others
    mixed = partners_of(scenario, round_robin_matches(names))
    assert all(cells == mixed[names[0]] for cells in mixed.values()) == (len(names) == 2)


def test_swiss_pairs_neighbours_who_have_not_met() -> None:
    points = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    assert swiss_pairs("dcba", points, [], seed=0) == (("a", "b"), ("c", "d"))
    met = [frozenset("ab"), frozenset("cd")]
    assert swiss_pairs("abcd", points, met, seed=0) == (("a", "c"), ("b", "d"))
    # Four have met two others each: only these pairs are left, which the greedy choice a-d would
    # still allow.
    assert swiss_pairs("abcd", points, [*met, frozenset("ac"), frozenset("bd")], seed=0) == (
        ("a", "d"),
        ("b", "c"),
    )


def test_who_has_met_most_has_the_bye() -> None:
    met = [frozenset("ab"), frozenset("cd")]  # e had the bye
    pairs = swiss_pairs("abcde", {"a": 2.0, "b": 1.0, "c": 2.0, "d": 1.0}, met, seed=0)
    assert len(pairs) == 2
    assert any("e" in pair for pair in pairs)
    assert not {frozenset(pair) for pair in pairs} & set(met)


@given(NAMES, st.randoms())
def test_swiss_does_not_depend_on_the_order_of_the_list(names: list[str], chance: object) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert swiss_pairs(names, {}, [], seed=3) == swiss_pairs(shuffled, {}, [], seed=3)
