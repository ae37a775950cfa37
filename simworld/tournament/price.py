"""What a tournament will cost: episodes from its plan, tokens and minutes from what earlier episodes in the database took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simworld.core.episode import Ending
from simworld.tournament.loading import Tournament
from simworld.tournament.plan import matches_of, plan_of
from simworld.tournament.points import points_of
from store import Store

RECENT = 200  # episodes of an agent, and commands, that rates are measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is left to play, and what it will take. None: nothing was measured, so it is unknown."""

    episodes: int  # planned
    played: int  # of them
    failed: int  # of those played
    tokens: int | None  # to be written
    tokens_read: int | None
    minutes: float | None  # without judging
    unmeasured: tuple[str, ...]  # agents without an episode in the database
    upper_bound: bool  # Swiss: the pairs of rounds to come may share casts with those before

    @property
    def left(self) -> int:
        """Episodes to play."""
        return self.episodes - self.played


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """Means over an agent's earlier episodes."""

    turns: float
    written: float  # tokens per turn of the whole episode, partners' turns included
    read: float


def price(tournament: Tournament, store: Store | None) -> Price:
    """The price of what is not played yet; loads no model. `store`: None where there is no database yet."""
    items = _items(tournament, store)
    played = _played(tournament, store) if store else {}
    left = [item for item in items if item not in played]
    names = sorted({name for _, cast, _ in left for name in cast})
    paces = {name: pace for name in names if store and (pace := _pace(store, name)) is not None}
    unmeasured = tuple(name for name in names if name not in paces)
    limits = {scenario.name: scenario.limits.turns for scenario in tournament.scenarios}
    written = read = 0.0
    for scenario, cast, _ in left if not unmeasured else ():
        for name in cast:
            pace = paces[name]
            turns = min(limits[scenario], pace.turns) / len(cast)
            written, read = written + turns * pace.written, read + turns * pace.read
    tokens = None if unmeasured else round(written)
    return Price(
        episodes=len(items),
        played=len([item for item in items if item in played]),
        failed=sum(played[item] for item in items if item in played),
        tokens=tokens,
        tokens_read=None if unmeasured else round(read),
        minutes=None if store is None or tokens is None else _minutes(store, len(left), tokens),
        unmeasured=unmeasured,
        upper_bound=tournament.file.format == "swiss",
    )


Item = tuple[str, tuple[str, ...], int]  # scenario name, agents in the order of seats, repeat


def _items(tournament: Tournament, store: Store | None) -> set[Item]:
    plan = plan_of(tournament, matches_of(tournament, points_of(tournament, store) if store else None))
    return {
        (scenario.name, tuple(cast.values()), repeat)
        for scenario, cast in plan.seatings()
        for repeat in range(tournament.file.repeats)
    }


def _played(tournament: Tournament, store: Store) -> Mapping[Item, bool]:
    """What is played → whether its last attempt failed."""
    found: dict[Item, tuple[int, bool]] = {}
    for scenario in tournament.scenarios:
        for summary in store.summaries(run=tournament.name, scenario=scenario.id):
            key = (summary.scenario_name, tuple(seat.agent_name for seat in summary.seats), summary.repeat)
            found[key] = max(found.get(key, (0, False)), (summary.attempt, summary.ending is Ending.failed))
    return {key: failed for key, (_, failed) in found.items()}


def _pace(store: Store, agent: str) -> _Pace | None:
    seen = [summary for summary in store.summaries(agent=agent, limit=RECENT) if summary.turns]
    turns = sum(summary.turns for summary in seen)
    if not turns:
        return None
    return _Pace(
        turns=turns / len(seen),
        written=sum(summary.new_tokens for summary in seen) / turns,
        read=sum(summary.prompt_tokens for summary in seen) / turns,
    )


def _minutes(store: Store, episodes: int, tokens: int) -> float | None:
    """By tokens per second where models write, else by episodes per second; None where no command like it was timed."""
    commands = [entry for entry in _commands(store) if bool(entry.get("new_tokens")) == bool(tokens)][-RECENT:]
    done = sum(entry["new_tokens"] if tokens else entry["episodes"] for entry in commands)
    seconds = sum(entry["wall_s"] for entry in commands)
    return (tokens or episodes) * seconds / done / 60 if done else None


def _commands(store: Store) -> Iterable[Mapping[str, float]]:
    for summary in store.runs():
        yield from (entry for entry in (summary.run.profile or {}).get("commands", ()) if entry.get("wall_s"))
