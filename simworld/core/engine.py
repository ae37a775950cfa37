"""The engine: the rules of a conversation as a generator, with no model, database or clock in it.

    episode = play(scenario, cast, seed)
    due = next(episode)                   # {seat: Observation} of the seats that act now
    due = episode.send({seat: Act or Failure for each due seat})
    …                                     # until StopIteration, whose value is the Episode

Endings: *terminated* when fewer than two seats are left, when nobody did anything for
`limits.silence` turns in a row, or when a check with `ends` holds; *turn_limit* after
`limits.turns` turns; *failed* when an agent fails or breaks the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from simworld.core.checks import ending_check, run_checks
from simworld.core.episode import Act, ActionKind, Ending, Episode, Observation, Turn
from simworld.core.errors import Failure
from simworld.core.protocols import ActResult
from simworld.core.scenario import Scenario, TurnOrder
from simworld.core.seeding import derive_seed, make_rng
from simworld.core.text import replace_controls
from simworld.core.visibility import observe

DueObservations = Mapping[str, Observation]
# of a scenario, the seats still present, the turns so far and the episode's seed
_DueSeats = Callable[[Scenario, Sequence[str], Sequence[Turn], int], list[str]]
EpisodeGenerator = Generator[DueObservations, Mapping[str, ActResult], Episode]


def episode_seed(run_seed: int, scenario_id: str, repeat: int) -> int:
    """The seed of one episode: of names only, and never of the cast, so that two casts share their
    random numbers.
    """
    return derive_seed("episode", run_seed, scenario_id, repeat)


def play(scenario: Scenario, cast: Mapping[str, str], seed: int) -> EpisodeGenerator:
    """A conversation as a generator: yields observations, is sent replies, returns the Episode.

    Args:
        scenario: what is played.
        cast: seat → agent id, for the record; every seat must be cast.
        seed: of this episode (see `episode_seed`).

    Raises:
        ValueError: a seat is not cast, or a reply is missing: the caller's mistake, not an agent's.
    """
    seats = [seat.name for seat in scenario.seats]
    if missing := [name for name in seats if name not in cast]:
        raise ValueError(f"no agent is cast for {', '.join(missing)}")
    turns: list[Turn] = []
    ending, reason, failure = Ending.turn_limit, "turn_limit", None
    while len(turns) < scenario.limits.turns:
        turn_index = len(turns)
        present = _present_seats(seats, turns)
        due = {
            name: observe(scenario, name, turns, turn_index, seed)
            for name in _due_seats(scenario, present, turns, seed)
        }
        replies = yield due
        acts, failure = _collect_acts(due, replies, seats)
        if acts:
            turns.append(Turn(index=turn_index, acts=acts))
        if failure is not None:
            ending, reason = Ending.failed, failure.kind
            break
        if end_reason := _end_reason(scenario, seats, turns):
            ending, reason = Ending.terminated, end_reason
            break
    return Episode(
        scenario_id=scenario.id,
        cast=dict(cast),
        seed=seed,
        turns=tuple(turns),
        ending=ending,
        reason=reason,
        checks=run_checks(scenario.checks, turns),
        failure=failure,
    )


def failed_seat(scenario: Scenario, turns: Sequence[Turn], seed: int) -> str | None:
    """The seat whose failure ended an episode: of those due last, the first without an act.

    None where every due seat acted, which no failed episode of `play` shows.

    Args:
        scenario: what was played.
        turns: of the episode, to the last act that was made.
        seed: of the episode.
    """
    seats = [seat.name for seat in scenario.seats]
    for earlier in (turns[:-1], turns) if turns else (turns,):
        acted = {act.seat for turn in turns[len(earlier) :] for act in turn.acts}
        present = _present_seats(seats, earlier)
        if present and (
            silent := [
                name for name in _due_seats(scenario, present, earlier, seed) if name not in acted
            ]
        ):
            return silent[0]
    return None


def _present_seats(seats: Sequence[str], turns: Sequence[Turn]) -> list[str]:
    gone = {act.seat for turn in turns for act in turn.acts if act.action.kind is ActionKind.leave}
    return [name for name in seats if name not in gone]


def _all_at_once(
    scenario: Scenario, present: Sequence[str], turns: Sequence[Turn], seed: int
) -> list[str]:
    return list(present)


def _drawn(
    scenario: Scenario, present: Sequence[str], turns: Sequence[Turn], seed: int
) -> list[str]:
    rng = make_rng(derive_seed(seed, "order", len(turns)))
    return [present[int(rng.integers(len(present)))]]


def _one_after_the_other(
    scenario: Scenario, present: Sequence[str], turns: Sequence[Turn], seed: int
) -> list[str]:
    if not turns:
        return [present[0]]
    seats = [seat.name for seat in scenario.seats]
    start = seats.index(turns[-1].acts[0].seat) + 1
    return [next(name for name in seats[start:] + seats[:start] if name in present)]


# Which seats act now. Closed: an episode is played again from its scenario alone, years later.
TURN_ORDERS: Mapping[TurnOrder, _DueSeats] = MappingProxyType(
    {
        TurnOrder.round_robin: _one_after_the_other,
        TurnOrder.random: _drawn,
        TurnOrder.simultaneous: _all_at_once,
    }
)


def _due_seats(
    scenario: Scenario, present: Sequence[str], turns: Sequence[Turn], seed: int
) -> list[str]:
    return TURN_ORDERS[scenario.order](scenario, present, turns, seed)


def _collect_acts(
    due: DueObservations, replies: Mapping[str, ActResult], seats: Sequence[str]
) -> tuple[tuple[Act, ...], Failure | None]:
    # Acts that were made are kept beside the first failure of the same turn: nothing that happened
    # is lost.
    acts: list[Act] = []
    failure: Failure | None = None
    for name in due:
        if name not in replies:
            raise ValueError(f"no reply for seat {name!r}")
        reply = replies[name]
        failed_reply = reply if isinstance(reply, Failure) else _rule_violation(name, reply, seats)
        if failed_reply is None and isinstance(reply, Act):
            acts.append(_without_controls(reply))
        else:
            failure = failure or failed_reply
    return tuple(acts), failure


def _without_controls(act: Act) -> Act:
    """The act with a text that every prompt, page and database can hold, whoever wrote it: a model,
    a script or a person.
    """
    text = replace_controls(act.action.text)
    return act if text == act.action.text else replace(act, action=replace(act.action, text=text))


def _rule_violation(name: str, act: Act, seats: Sequence[str]) -> Failure | None:
    action = act.action
    if act.seat != name:
        message = f"seat {name!r} was due, but {act.seat!r} acted"
    elif unknown := [to for to in action.to if to not in seats]:
        message = (
            f"{name!r} addressed {', '.join(map(repr, unknown))}; the seats are {', '.join(seats)}"
        )
    elif name in action.to:
        message = f"{name!r} addressed itself"
    elif (
        action.kind in {ActionKind.speak, ActionKind.non_verbal, ActionKind.action}
        and not action.text.strip()
    ):
        message = f"{name!r} chose {action.kind.value!r} without a text"
    else:
        return None
    return Failure(boundary="engine", kind="bad-action", message=message)


def _end_reason(scenario: Scenario, seats: Sequence[str], turns: Sequence[Turn]) -> str:
    if len(_present_seats(seats, turns)) < 2:
        return "left"
    if check := ending_check(scenario.checks, turns):
        return f"check:{check}"
    recent = turns[-scenario.limits.silence :]
    silent = all(act.action.kind is ActionKind.none for turn in recent for act in turn.acts)
    return "silence" if silent and len(recent) == scenario.limits.silence else ""
