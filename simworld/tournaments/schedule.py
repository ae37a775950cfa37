"""Who plays beside whom: pure functions of names, so that another agent adds matches and changes
none.

A *match* is an agent beside a partner: in each scenario the agent takes each seat in turn, and the
partner all others. Two agents are compared where they had the same seat beside the same partner, so
agents that never share a partner have no games. That is why formats in which agents are each
other's partners include each agent beside itself unless told otherwise: only then does everybody
meet the same partners, without which means do not compare, and two agents alone have no game at
all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from simworld.core.scenario import Scenario
from simworld.core.seeding import derive_seed
from simworld.yamlfile.fields import SeatChoice


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """An agent, and who holds the other seats."""

    agent: str
    partner: str


def round_robin_matches(agents: Sequence[str], *, self_play: bool = True) -> tuple[Match, ...]:
    """Each agent beside each."""
    return tuple(Match(a, b) for a in agents for b in agents if self_play or a != b)


def fixed_partner_matches(agents: Sequence[str], partners: Sequence[str]) -> tuple[Match, ...]:
    """Each agent beside each partner; a partner that is an agent too also plays beside itself."""
    return tuple(Match(agent, partner) for agent in agents for partner in partners)


def focal_matches(
    agents: Sequence[str], center: str, *, self_play: bool = True
) -> tuple[Match, ...]:
    """Each agent beside the focal one, the focal one beside each, and each beside itself.

    The focal agent is compared with each other one beside that one and beside itself; the others
    with each other beside the focal.
    """
    return tuple(
        match
        for match in round_robin_matches(agents, self_play=self_play)
        if center in (match.agent, match.partner) or match.agent == match.partner
    )


def swiss_matches(pairs: Sequence[tuple[str, str]], *, self_play: bool = True) -> tuple[Match, ...]:
    """A small round robin within each pair."""
    return tuple(m for pair in pairs for m in round_robin_matches(pair, self_play=self_play))


def swiss_pairs(
    agents: Sequence[str],
    points: Mapping[str, float],
    met: Collection[frozenset[str]],
    *,
    seed: int,
) -> tuple[tuple[str, str], ...]:
    """Pairs of neighbours by points that have not met yet, as far as that is possible; of an odd
    number, one has a bye.

    Equal points are ordered by a number drawn from the agent's name, so that no order of a list
    matters.

    Args:
        agents: names.
        points: of the rounds before; who has none counts as 0.
        met: pairs of the rounds before.
        seed: of the tournament.
    """
    unpaired = sorted(
        agents, key=lambda name: (-points.get(name, 0.0), derive_seed(seed, "swiss", name), name)
    )
    if len(unpaired) % 2:
        times_met = {name: sum(name in pair for pair in met) for name in unpaired}
        # who has met most; of these, who stands lowest
        bye = max(reversed(unpaired), key=lambda name: times_met[name])
        unpaired.remove(bye)
    return _pair_neighbours(unpaired, met) or tuple(zip(unpaired[::2], unpaired[1::2], strict=True))


def cast_matches(
    scenarios: Sequence[Scenario], matches: Sequence[Match], seats: SeatChoice
) -> Iterator[tuple[Scenario, dict[str, str]]]:
    """Each scenario with each of its casts, as seat → agent; equal casts come more than once."""
    for scenario in scenarios:
        names = [seat.name for seat in scenario.seats]
        for match in matches:
            for own in compared_seat_names(scenario, seats):
                cast = {name: match.agent if name == own else match.partner for name in names}
                yield scenario, cast


def compared_seat_names(scenario: Scenario, seats: SeatChoice) -> tuple[str, ...]:
    """The seats in which agents are compared."""
    names = tuple(seat.name for seat in scenario.seats)
    return {"both": names, "first": names[:1], "second": names[1:2]}[seats]


def _pair_neighbours(
    unpaired: Sequence[str], met: Collection[frozenset[str]]
) -> tuple[tuple[str, str], ...] | None:
    """All of them in pairs that have not met, neighbours first; None where there is no such
    pairing.
    """
    if not unpaired:
        return ()
    first, rest = unpaired[0], unpaired[1:]
    for i, other in enumerate(rest):
        if (
            frozenset((first, other)) not in met
            and (others_paired := _pair_neighbours([*rest[:i], *rest[i + 1 :]], met)) is not None
        ):
            return ((first, other), *others_paired)
    return None
