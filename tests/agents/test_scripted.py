"""Agents that say fixed lines."""

from collections import Counter

import pytest

from agents.scripted import ScriptedAgent
from simworld.core.engine import play
from simworld.core.episode import Action, ActionKind, Ending
from simworld.core.errors import Failure
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.testing import check_agent, example_observations

NONE = ActionKind.none


def actions(agent: ScriptedAgent, turns: int, seed: int = 0) -> list[Action]:
    """What the agent does in its first turns, alone with somebody who says hello."""
    scenario = Scenario(
        name="x",
        setting="A bench.",
        seats=tuple(
            Seat(name=name, persona=Persona(name=name.title()), goal="Talk.")
            for name in ("ann", "bo")
        ),
        limits=Limits(turns=2 * turns, silence=9),
    )
    other = ScriptedAgent(agent_id="other", lines=("Hello.",), after=None)
    game = play(scenario, {"ann": "x", "bo": "other"}, seed)
    due = next(game)
    try:
        while True:
            replies = {}
            for seat, observation in due.items():
                with pytest.raises(StopIteration) as over:
                    next((agent if seat == "ann" else other).act(observation))
                replies[seat] = over.value.value
            due = game.send(replies)
    except StopIteration as over_:
        episode = over_.value
    if episode.ending is Ending.failed:
        raise AssertionError(episode.failure)
    return [act.action for act in episode.acts if act.seat == "ann"]


def test_lines_come_in_order_and_then_nothing() -> None:
    agent = ScriptedAgent(agent_id="a", lines=("One.", "[nods]"))
    assert actions(agent, 4) == [
        Action(kind=ActionKind.speak, text="One."),
        Action(kind=ActionKind.non_verbal, text="nods"),
        Action(kind=NONE),
        Action(kind=NONE),
    ]


def test_leaving_after_the_last_line() -> None:
    agent = ScriptedAgent(agent_id="a", lines=("One.",), after=ActionKind.leave)
    assert actions(agent, 4) == [
        Action(kind=ActionKind.speak, text="One."),
        Action(kind=ActionKind.leave),
    ]


def test_starting_again() -> None:
    agent = ScriptedAgent(agent_id="a", lines=("One.", "Two."), after=None)
    assert [action.text for action in actions(agent, 5)] == ["One.", "Two.", "One.", "Two.", "One."]


def test_lines_are_read_like_replies() -> None:
    agent = ScriptedAgent(agent_id="a", lines=("(to Bo) Psst.", "...", "Bye. [leaves]"))
    assert actions(agent, 5) == [
        Action(kind=ActionKind.speak, text="Psst.", to=("bo",)),
        Action(kind=NONE),
        Action(kind=ActionKind.leave, text="Bye."),
    ]


def test_a_private_line_for_nobody_here_fails_and_is_never_said() -> None:
    observation = example_observations()[0]
    agent = ScriptedAgent(agent_id="a", lines=("Hello.", "(to Boo) Psst.", "(to Bo) Psst."))
    assert agent.unresolved_lines(observation) == [
        "line 2: it is not clear who is meant by '(to Boo)'; those at the table are Bo, Cleo"
    ]
    with pytest.raises(StopIteration) as over:
        next(ScriptedAgent(agent_id="a", lines=("(to Boo) Psst.",)).act(observation))
    assert over.value.value == Failure(
        boundary="reply",
        kind="private",
        message="line 1: it is not clear who is meant by '(to Boo)'",
    )


def test_without_lines_it_does_what_comes_after_them() -> None:
    assert actions(ScriptedAgent(agent_id="a", lines=()), 2) == [Action(kind=NONE)] * 2


@pytest.mark.parametrize("after", [ActionKind.none, ActionKind.leave, None])
def test_it_keeps_the_promises_of_an_agent(after: ActionKind | None) -> None:
    for drawn in (False, True):
        lines = ("One.", "(to Bo) Two.")
        agent = ScriptedAgent(agent_id="a", lines=lines, after=after, drawn=drawn)
        check_agent(agent)
        assert agent.model == ""


LETTERS = tuple("ABCDEF")


def drawn(seed: int, turns: int, agent_id: str = "a") -> list[str]:
    agent = ScriptedAgent(agent_id=agent_id, lines=LETTERS, after=None, drawn=True)
    return [action.text for action in actions(agent, turns, seed)]


def test_a_drawn_order_is_the_episodes_own_and_new_each_time_it_starts_again() -> None:
    first = drawn(1, 12)
    assert sorted(first[:6]) == sorted(first[6:]) == list(LETTERS)
    assert first[:6] != first[6:]
    assert drawn(1, 12, agent_id="another") == first  # common random numbers
    assert drawn(2, 12) != first
    # at every turn each line is as likely as at any other: of 240 episodes a sixth, 40 ± 5.8
    counts = Counter(drawn(seed, 2)[1] for seed in range(240))
    assert set(counts) == set(LETTERS)
    assert all(20 < count < 60 for count in counts.values())


def test_a_drawn_order_ends_as_a_written_one_does() -> None:
    agent = ScriptedAgent(agent_id="a", lines=("One.", "Two."), after=ActionKind.leave, drawn=True)
    first, second, third = actions(agent, 4, seed=3)
    assert {first.text, second.text} == {"One.", "Two."}
    assert third == Action(kind=ActionKind.leave)
