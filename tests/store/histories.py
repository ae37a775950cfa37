"""What may happen to a run, in any order: episodes that fail and are played again, judgements,
rejudging, and changes by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from simworld.core.errors import Failure
from simworld.core.scenario import Persona, Seat
from store import RunRecord, Store
from store.connection import open_engine
from store.database_address import parse_address
from store.tables import EpisodeRow, JudgementRow, VerdictRow
from tests.factories.stored import (
    AGENTS,
    NOON,
    RENT,
    TICKET,
    add,
    item,
    judged,
    plan,
    played,
    unjudgeable,
)

RUN = RunRecord(name="cup", seed=1, code_version="0", created=NOON)
TABLE = replace(
    RENT,
    name="table",
    seats=tuple(
        Seat(name=name, persona=Persona(name=name), goal="g") for name in ("zoe", "ann", "max")
    ),
)
SCENARIOS = (replace(TICKET, family="f"), replace(TABLE, family="g"))
WORKS = tuple(
    (scenario, item("cup", scenario, repeat, cast))
    for scenario, repeats in zip(SCENARIOS, (2, 1), strict=True)
    for repeat in range(repeats)
    for cast in product(("a1", "a2"), repeat=len(scenario.seats))
)
JUDGES = {"j1": {"goal": 3.0, "tone": 1.0}, "j2": {"goal": 1.0, "tone": 0.0}}
BROKEN = Failure(boundary="model", kind="timeout", message="no answer")


@dataclass(frozen=True, slots=True)
class Play:
    """The next attempt at a work item."""

    work: int
    fails: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """A judgement of the latest or the first attempt: shares by seat and dimension, or a
    failure."""

    work: int
    latest: bool
    judge: str
    sample: int
    shares: tuple[float | None, ...]  # seat by seat, goal before tone; none: the judgement failed
    again: bool  # a failed one gives way


@dataclass(frozen=True, slots=True)
class ByHand:
    """A row deleted or changed with SQL."""

    what: str  # "episode", "judgement", "verdict" or "score"
    which: int  # of those there are, in the order of their ids


Event = Play | Judge | ByHand
works = st.integers(0, len(WORKS) - 1)
shares = st.lists(
    st.none() | st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]), min_size=6, max_size=6
).map(tuple)
plays = st.builds(Play, works, st.booleans())
judges = st.builds(
    Judge,
    works,
    st.booleans(),
    st.sampled_from(list(JUDGES)),
    st.integers(0, 2),
    st.just(()) | shares,
    st.booleans(),
)
hands = st.builds(
    ByHand, st.sampled_from(["episode", "judgement", "verdict", "score"]), st.integers(0, 50)
)


def begin(store: Store) -> None:
    """The run and its judges."""
    store.begin_run(RUN, [plan(work, scenario) for scenario, work in WORKS], SCENARIOS, AGENTS)
    for name, weights in JUDGES.items():
        dimensions = [
            {"name": d, "low": -5.0, "high": 5.0, "weight": weight} for d, weight in weights.items()
        ]
        store.add_judge(
            name, name, {"rubric": {"id": f"{name}@0", "name": "sotopia", "dimensions": dimensions}}
        )


def happen(store: Store, url: str, events: Sequence[Event]) -> None:
    """Lets events happen; what cannot happen is passed over."""
    attempts = dict.fromkeys(range(len(WORKS)), 0)
    for event in events:
        match event:
            case Play(work=number, fails=fails):
                attempts[number] += 1
                scenario, work = WORKS[number]
                episode = played(work, "x", failure=BROKEN if fails else None)
                add(
                    store,
                    work,
                    episode,
                    attempts[number],
                    scenario_name=scenario.name,
                    family=scenario.family,
                )
            case Judge(work=number) if attempts[number]:
                _judge(
                    store,
                    event,
                    WORKS[number][1].episode_id(attempts[number] if event.latest else 1),
                )
            case ByHand():
                _by_hand(url, event)
            case _:
                pass


def _judge(store: Store, event: Judge, episode_id: str) -> None:
    if episode_id not in {summary.id for summary in store.episode_summaries()}:
        return  # deleted by hand
    seats = [seat.seat for seat in store.episode(episode_id).summary.seats]
    named = dict(zip(product(seats, ("goal", "tone")), event.shares, strict=False))
    given = {key: share for key, share in named.items() if share is not None}
    made = judged(
        episode_id,
        {key: 10 * share - 5 for key, share in given.items()},
        judge=event.judge,
        sample=event.sample,
    )
    if not event.shares:
        made = unjudgeable(episode_id, judge=event.judge, sample=event.sample)
    store.add_judgement(made, given, replace_failed=event.again)


def _by_hand(url: str, event: ByHand) -> None:
    engine = open_engine(parse_address(url), create=False)
    with engine.begin() as connection:
        of = {"episode": EpisodeRow, "judgement": JudgementRow}.get(event.what, VerdictRow)
        key = list(of.__table__.primary_key)
        rows = connection.execute(select(*key).order_by(*key)).all()
        if rows:
            which = [
                column == value
                for column, value in zip(key, rows[event.which % len(rows)], strict=True)
            ]
            change = (
                update(VerdictRow).values(score=1.0, rescaled=0.6)
                if event.what == "score"
                else delete(of)
            )
            connection.execute(change.where(*which))
    engine.dispose()
