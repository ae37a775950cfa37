"""How many conversations are let in, by numbers worked out by hand, and with a backend that has
room for few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from simworld.core.engine import episode_seed
from simworld.core.episode import WorkItem
from simworld.core.requests import Finished, Generate, Generated, Sampling, TextPrompt
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.runner import Job, play_jobs
from simworld.runner.admission import Admission, LiveConversation
from simworld.testing import FakeBackend
from tests.factories.lm_requests import MODEL, talking_agent


class Small(FakeBackend):
    """Has room for so many tokens."""

    def __init__(self, room: int, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.room = room
        self.forgotten: list[str] = []

    def memory_share(self, tokens: int) -> float:
        return tokens / self.room

    def forget_threads(self, threads: Iterable[str]) -> None:
        self.forgotten += sorted(threads)


def scenario(turns: int) -> Scenario:
    seats = tuple(
        Seat(name=name, persona=Persona(name=name.title()), goal="Talk.") for name in ("ann", "bo")
    )
    return Scenario(
        name="bench", setting="A bench.", seats=seats, limits=Limits(turns=turns, silence=99)
    )


def job(repeat: int, turns: int = 4) -> Job:
    what = scenario(turns)
    item = WorkItem(run="r", scenario_id=what.id, cast={"ann": "lm", "bo": "lm"}, repeat=repeat)
    agents = {"ann": talking_agent(), "bo": talking_agent()}
    return Job(
        item=item, attempt=1, scenario=what, agents=agents, seed=episode_seed(0, what.id, repeat)
    )


def asks(thread: str, characters: int = 60, new: int = 10) -> Generate:
    return Generate(
        prompt=TextPrompt(text="x" * characters),
        sampling=Sampling(max_new_tokens=new),
        seed=0,
        thread=thread,
    )


def says(prompt: int, new: int) -> Generated:
    return Generated(text="", prompt_tokens=prompt, new_tokens=new, finish="stop", latency_s=0.0)


class Door:
    """An admission, and guests of two seats with a turn limit."""

    def __init__(self, room: int) -> None:
        self.backend = Small(room)
        self.admission = Admission({MODEL: self.backend})

    def conversation(self, turns: int) -> LiveConversation:
        return self.admission.new_conversation(
            scenario(turns), {"ann": talking_agent(), "bo": talking_agent()}
        )

    def turn(
        self, conversation: LiveConversation, seat: str, turn: int, prompt: int, new: int
    ) -> None:
        request = asks(f"{id(conversation)}/{seat}", new=10)
        self.admission.note_request(conversation, seat, request)
        self.admission.note_answer(conversation, seat, turn, request, says(prompt, new))


@pytest.mark.parametrize(("room", "fits"), [(279, False), (280, True)])
def test_before_any_answer_prompts_are_guessed_and_replies_are_as_long_as_they_may_be(
    room: int, fits: bool
) -> None:
    door = Door(room)
    first = door.conversation(turns=5)
    assert door.admission.fits(first)
    door.admission.enter(first)
    door.admission.note_request(first, "ann", asks("a", characters=60, new=10))
    # 60 characters are 20 tokens; with a reply of 10 and four more turns of 10: 70 for each of four
    # seats.
    assert door.admission.fits(door.conversation(turns=5)) is fits


@pytest.mark.parametrize(("room", "fits"), [(215, False), (216, True)])
def test_what_was_seen_replaces_the_guess(room: int, fits: bool) -> None:
    door = Door(room)
    conversation = door.conversation(turns=19)
    door.admission.enter(conversation)
    # ann has 22, 26, … 54 tokens, bo 24, 28, … 56: two more with every turn
    for turn in range(0, 18, 2):
        door.turn(conversation, "ann", turn, 20 + 2 * turn, 2)
        door.turn(conversation, "bo", turn + 1, 20 + 2 * (turn + 1), 2)
    # In turn 18 ann will have 58 and bo, last heard in turn 17, 58; others begin with 24 at most,
    # and make four turns: 32 and 32.
    other = door.conversation(turns=5)
    assert door.admission.fits(other) is (room >= 58 + 58 + 32 + 32)
    door.admission.enter(other)
    # With one more that makes three turns and ends at 28 … two seats of 28: 236.
    assert not door.admission.fits(door.conversation(turns=3))
    door.admission.leave(other)
    # Of one that makes eleven turns each seat ends at 44.
    assert door.admission.fits(door.conversation(turns=14)) is fits


def test_the_first_is_let_in_whatever_it_needs() -> None:
    door = Door(1)
    assert door.admission.fits(door.conversation(turns=50))


def test_threads_are_forgotten_at_the_end_unless_another_conversation_has_one_of_that_name() -> (
    None
):
    door = Door(10**6)
    one, two = door.conversation(turns=5), door.conversation(turns=5)
    for conversation, threads in ((one, {"ann": "shared", "bo": "own"}), (two, {"ann": "shared"})):
        door.admission.enter(conversation)
        for seat, thread in threads.items():
            door.admission.note_request(conversation, seat, asks(thread))
    door.admission.leave(one)
    assert door.backend.forgotten == ["own"]
    door.admission.leave(two)
    assert door.backend.forgotten == ["own", "shared"]


class Counts(Small):
    """Notes how many conversations were open at once."""

    most = 0

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        self.most = max(self.most, self.open)
        return super().poll(wait_s)


@pytest.mark.parametrize(("room", "most"), [(1, 1), (10**9, 8)])
def test_fewer_play_where_memory_is_short_and_all_are_played(room: int, most: int) -> None:
    backend = Counts(room)
    played = list(play_jobs([job(repeat) for repeat in range(8)], {MODEL: backend}, max_live=8))
    assert sorted(each.job.item.repeat for each in played) == list(range(8))
    assert backend.most == most
    assert len(backend.forgotten) == 16


def test_backends_that_set_no_bound_are_left_alone() -> None:
    backend = FakeBackend()
    admission = Admission({MODEL: backend})
    conversation = admission.new_conversation(scenario(5), {"ann": talking_agent()})
    admission.enter(conversation)
    assert conversation.seats == {}
    assert admission.fits(conversation)
