"""The rules of a conversation, driven by hand."""

from collections.abc import Mapping

import pytest

from simworld.core.engine import EpisodeGenerator, episode_seed, failed_seat, play
from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import ActResult
from simworld.core.scenario import (
    Check,
    CheckKind,
    Limits,
    Persona,
    Relationship,
    Scenario,
    Seat,
    TurnOrder,
)

SPEAK = ActionKind.speak


def make_scenario(
    *names: str,
    order: TurnOrder = TurnOrder.round_robin,
    turns: int = 6,
    silence: int = 2,
    checks: tuple[Check, ...] = (),
    relationships: Mapping[tuple[str, str], Relationship] | None = None,
) -> Scenario:
    seats = tuple(
        Seat(
            name=name,
            persona=Persona(name=f"{name.title()} Smith"),
            goal=f"goal of {name}",
            secret=f"secret of {name}",
        )
        for name in names
    )
    return Scenario(
        name="test",
        setting="A room.",
        seats=seats,
        order=order,
        limits=Limits(turns=turns, silence=silence),
        checks=checks,
        relationships=relationships or {},
    )


def say(seat: str, text: str = "hello", *, to: tuple[str, ...] = ()) -> Act:
    return Act(seat=seat, action=Action(kind=SPEAK, text=text, to=to))


def do(seat: str, kind: ActionKind) -> Act:
    return Act(seat=seat, action=Action(kind=kind))


def cast(scenario: Scenario) -> dict[str, str]:
    return {seat.name: "someone" for seat in scenario.seats}


def start(scenario: Scenario, seed: int = 1) -> tuple[EpisodeGenerator, Mapping[str, Observation]]:
    game = play(scenario, cast(scenario), seed)
    return game, next(game)


def finish(game: EpisodeGenerator, replies: Mapping[str, ActResult]) -> Episode:
    with pytest.raises(StopIteration) as over:
        game.send(replies)
    episode = over.value.value
    assert isinstance(episode, Episode)
    return episode


def test_no_control_character_is_perceived_whoever_wrote_it() -> None:
    game, _ = start(make_scenario("ann", "ben"))
    seen = game.send({"ann": say("ann", "hello \ud800 there \x1b[31m\x00\r\nbye")})["ben"]
    assert seen.events[0].action.text == "hello \ufffd there \ufffd[31m\ufffd\nbye"


def test_round_robin_ends_at_the_turn_limit() -> None:
    game, due = start(make_scenario("ann", "bob", "cat", turns=4))
    order = []
    for _ in range(3):
        (seat,) = due
        order.append(seat)
        due = game.send({seat: say(seat)})
    (seat,) = due
    episode = finish(game, {seat: say(seat)})
    assert [*order, seat] == ["ann", "bob", "cat", "ann"]
    assert (episode.ending, episode.reason) == (Ending.turn_limit, "turn_limit")
    assert [turn.index for turn in episode.turns] == [0, 1, 2, 3]


def test_simultaneous_turns_hold_one_act_of_each_seat() -> None:
    scenario = make_scenario("ann", "bob", order=TurnOrder.simultaneous, turns=1)
    game, due = start(scenario)
    assert list(due) == ["ann", "bob"]
    episode = finish(game, {"bob": say("bob"), "ann": say("ann")})
    assert [act.seat for act in episode.turns[0].acts] == ["ann", "bob"]


def test_simultaneous_seats_do_not_hear_each_other_within_a_turn() -> None:
    scenario = make_scenario("ann", "bob", order=TurnOrder.simultaneous, turns=2)
    game, due = start(scenario)
    assert all(not observation.events for observation in due.values())
    due = game.send({"ann": say("ann", "one"), "bob": say("bob", "two")})
    assert [event.action.text for event in due["ann"].events] == ["one", "two"]


def test_random_order_depends_on_the_seed_alone() -> None:
    def order(seed: int) -> list[str]:
        scenario = make_scenario("ann", "bob", "cat", order=TurnOrder.random, turns=12)
        game, due = start(scenario, seed)
        seats = []
        try:
            while True:
                (seat,) = due
                seats.append(seat)
                due = game.send({seat: say(seat, str(len(seats)))})
        except StopIteration:
            return seats

    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1
    assert set(order(3)) == {"ann", "bob", "cat"}


def test_leaving_ends_a_conversation_of_two() -> None:
    game, _ = start(make_scenario("ann", "bob"))
    episode = finish(game, {"ann": do("ann", ActionKind.leave)})
    assert (episode.ending, episode.reason, len(episode.turns)) == (Ending.terminated, "left", 1)


def test_a_conversation_of_three_goes_on_without_the_one_who_left() -> None:
    game, _ = start(make_scenario("ann", "bob", "cat"))
    due = game.send({"ann": say("ann")})
    due = game.send({"bob": do("bob", ActionKind.leave)})
    assert list(due) == ["cat"]
    due = game.send({"cat": say("cat")})
    assert list(due) == ["ann"]
    assert {other.seat: other.present for other in due["ann"].others} == {"bob": False, "cat": True}
    due = game.send({"ann": say("ann")})
    assert list(due) == ["cat"]


def test_silence_ends_it_only_when_it_lasts() -> None:
    game, _ = start(make_scenario("ann", "bob", silence=2))
    game.send({"ann": do("ann", ActionKind.none)})
    game.send({"bob": say("bob")})
    game.send({"ann": do("ann", ActionKind.none)})
    episode = finish(game, {"bob": do("bob", ActionKind.none)})
    assert (episode.ending, episode.reason, len(episode.turns)) == (Ending.terminated, "silence", 4)


def test_a_check_that_ends_terminates_and_is_recorded() -> None:
    deal = Check(name="deal", kind=CheckKind.keyword, words=("deal",), by="bob", ends=True)
    game, _ = start(make_scenario("ann", "bob", checks=(deal,)))
    game.send({"ann": say("ann", "Deal?")})  # only bob's word counts
    episode = finish(game, {"bob": say("bob", "Deal!")})
    assert (episode.ending, episode.reason) == (Ending.terminated, "check:deal")
    assert [(check.name, check.holds, check.turn) for check in episode.checks] == [
        ("deal", True, 1)
    ]


def test_a_failure_ends_it_and_keeps_what_happened() -> None:
    game, _ = start(make_scenario("ann", "bob"))
    game.send({"ann": say("ann")})
    failure = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
    episode = finish(game, {"bob": failure})
    assert (episode.ending, episode.reason, episode.failure) == (Ending.failed, "timeout", failure)
    assert [act.seat for act in episode.acts] == ["ann"]


def test_acts_of_a_turn_in_which_another_seat_failed_are_kept() -> None:
    game, _ = start(make_scenario("ann", "bob", order=TurnOrder.simultaneous))
    failure = Failure(boundary="model", kind="http-500", message="server error")
    episode = finish(game, {"ann": say("ann"), "bob": failure})
    assert episode.ending is Ending.failed
    assert [act.seat for act in episode.acts] == ["ann"]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (say("bob"), "seat 'ann' was due, but 'bob' acted"),
        (say("ann", to=("dan",)), "'ann' addressed 'dan'; the seats are ann, bob"),
        (say("ann", to=("ann",)), "'ann' addressed itself"),
        (say("ann", "  "), "'ann' chose 'speak' without a text"),
    ],
)
def test_an_act_against_the_rules_is_a_failure(act: Act, message: str) -> None:
    game, _ = start(make_scenario("ann", "bob"))
    episode = finish(game, {"ann": act})
    assert episode.failure == Failure(boundary="engine", kind="bad-action", message=message)


@pytest.mark.parametrize("order", list(TurnOrder))
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("fails", ["ann", "bob", "cat"])
def test_who_failed_is_told_by_the_acts_alone(order: TurnOrder, turn: int, fails: str) -> None:
    scenario = make_scenario("ann", "bob", "cat", order=order, turns=40)
    for seed in range(5):
        game, due = start(scenario, seed)
        turns = 0
        while turns < turn or fails not in due:  # bob leaves at once, unless it is he who fails
            leaves = ActionKind.leave if fails != "bob" else ActionKind.speak
            due = game.send(
                {
                    n: Act(seat=n, action=Action(kind=leaves if n == "bob" else SPEAK, text="a"))
                    for n in due
                }
            )
            turns += 1
        failure = Failure(boundary="model", kind="timeout", message="no answer")
        episode = finish(game, {name: failure if name == fails else say(name) for name in due})
        assert failed_seat(scenario, episode.turns, seed) == fails


def test_of_several_who_failed_at_once_it_is_the_first_whose_failure_is_kept() -> None:
    scenario = make_scenario("ann", "bob", "cat", order=TurnOrder.simultaneous)
    game, _ = start(scenario)
    failures = {
        name: Failure(boundary="model", kind=name, message="no answer") for name in ("bob", "cat")
    }
    episode = finish(game, {"ann": say("ann"), **failures})
    assert episode.reason == failed_seat(scenario, episode.turns, 1) == "bob"


def test_a_missing_cast_or_reply_is_the_callers_mistake() -> None:
    scenario = make_scenario("ann", "bob")
    with pytest.raises(ValueError, match="no agent is cast for bob"):
        next(play(scenario, {"ann": "x"}, 1))
    game, _ = start(scenario)
    with pytest.raises(ValueError, match="no reply for seat 'ann'"):
        game.send({})


def test_the_episode_seed_is_made_of_names_and_never_of_the_cast() -> None:
    assert episode_seed(0, "s1-x", 0) == episode_seed(0, "s1-x", 0)
    assert (
        len({episode_seed(r, s, k) for r in (0, 1) for s in ("s1-x", "s1-y") for k in (0, 1)}) == 8
    )


def test_act_seeds_differ_by_turn_and_seat() -> None:
    game, due = start(make_scenario("ann", "bob", order=TurnOrder.simultaneous))
    first = {observation.seed for observation in due.values()}
    due = game.send({"ann": say("ann"), "bob": say("bob")})
    assert len(first | {observation.seed for observation in due.values()}) == 4
