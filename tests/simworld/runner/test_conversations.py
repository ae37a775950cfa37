"""Many conversations at once, with agents and backends that need no model."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC

import pytest

from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate
from agents.scripted import ScriptedAgent
from simworld.core.engine import episode_seed
from simworld.core.episode import Act, Action, ActionKind, Ending, Observation, WorkItem
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator, Agent
from simworld.core.requests import AskPerson, Generate, ModelInfo, Request, Sampling
from simworld.core.scenario import Limits, Persona, Scenario, Seat, TurnOrder
from simworld.runner import Job, Played, play_jobs
from simworld.testing import FakeBackend
from tests.factories.losing_backend import LosingBackend

HELLO = ScriptedAgent(agent_id="hello", lines=("Hello.",), after=None)
LEAVER = ScriptedAgent(agent_id="leaver", lines=("Hello.", "[leaves]"))


def make_scenario(*, turns: int = 4, order: TurnOrder = TurnOrder.round_robin) -> Scenario:
    seats = tuple(
        Seat(name=name, persona=Persona(name=name.title()), goal="Talk.") for name in ("ann", "bo")
    )
    return Scenario(
        name="bench",
        setting="A bench.",
        seats=seats,
        limits=Limits(turns=turns, silence=9),
        order=order,
    )


def lm(model: str = "fake:model", *, agent_id: str = "lm") -> LMAgent:
    return LMAgent(
        id=agent_id,
        model=model,
        info=ModelInfo(spec=model, id="fake", dtype="float32", context=None),
        template=PromptTemplate(style="script", instructions="{{goal}}"),
        sampling=Sampling(max_new_tokens=30),
    )


def make_job(
    ann: Agent,
    bo: Agent,
    *,
    repeat: int = 0,
    turns: int = 4,
    order: TurnOrder = TurnOrder.round_robin,
) -> Job:
    scenario = make_scenario(turns=turns, order=order)
    agents = {"ann": ann, "bo": bo}
    cast = {seat: agent.id for seat, agent in agents.items()}
    item = WorkItem(run="r", scenario_id=scenario.id, cast=cast, repeat=repeat)
    return Job(
        item=item,
        attempt=1,
        scenario=scenario,
        agents=agents,
        seed=episode_seed(0, scenario.id, repeat),
    )


def texts(played: Played) -> list[str]:
    return [act.action.text for act in played.episode.acts]


def repeats(played: Sequence[Played]) -> list[int]:
    return [each.job.item.repeat for each in played]


class Says:
    """An agent whose `act` is a given function."""

    model = ""

    def __init__(self, act: Callable[[Observation], ActGenerator], *, model: str = "") -> None:
        self.id = "says"
        self.model = model
        self._act = act

    def act(self, observation: Observation) -> ActGenerator:
        return self._act(observation)


def broken(observation: Observation) -> ActGenerator:
    raise KeyError("seat")
    yield AskPerson(observation=observation)


def breaks_at_once(observation: Observation) -> ActGenerator:
    raise OSError("no disk")


def breaks_after_an_answer(observation: Observation) -> ActGenerator:
    yield AskPerson(observation=observation)
    raise ValueError("cannot read this")


def asks(observation: Observation) -> ActGenerator:
    yield AskPerson(observation=observation)
    return Act(seat=observation.seat, action=Action(kind=ActionKind.speak, text="Hello."))


def returns_nothing(observation: Observation) -> ActGenerator:
    return None  # type: ignore[return-value]
    yield AskPerson(observation=observation)


def asks_for_a_text(observation: Observation) -> ActGenerator:
    yield "hello"  # type: ignore[misc]
    return Failure(boundary="agent", kind="never", message="never")


def test_an_episode_without_models() -> None:
    (played,) = play_jobs([make_job(HELLO, LEAVER, turns=9)], {})
    assert texts(played) == ["Hello.", "Hello.", "Hello.", ""]
    assert (played.episode.ending, played.episode.reason) == (Ending.terminated, "left")
    assert played.episode.cast == {"ann": "hello", "bo": "leaver"}
    assert played.started.tzinfo is played.ended.tzinfo is UTC
    assert played.started <= played.ended


def test_an_episode_with_a_model_on_one_side() -> None:
    backend = FakeBackend(lambda request: f"Offer {len(backend.requests)}")
    (played,) = play_jobs([make_job(lm(), HELLO)], {"fake:model": backend})
    assert texts(played) == ["Offer 1", "Hello.", "Offer 2", "Hello."]
    assert backend.open == 0
    first, second = (act.generation for act in played.episode.acts if act.seat == "ann")
    assert first is not None
    assert second is not None
    assert first.model_id == "fake"
    assert first.seed != second.seed


def test_no_jobs() -> None:
    assert list(play_jobs([], {})) == []


def test_episodes_come_as_they_end_and_not_as_they_began() -> None:
    turns = {0: 6, 1: 2, 2: 4}
    jobs = [make_job(lm(), lm(), repeat=repeat, turns=limit) for repeat, limit in turns.items()]
    played = list(play_jobs(jobs, {"fake:model": FakeBackend()}))
    assert repeats(played) == [1, 2, 0]
    assert [len(each.episode.turns) for each in played] == [2, 4, 6]


def test_a_slow_request_holds_up_nobody_else() -> None:
    slow = make_job(lm(agent_id="slow"), HELLO, repeat=0)
    jobs = [slow, *(make_job(lm(agent_id="quick"), HELLO, repeat=repeat) for repeat in (1, 2))]

    def delay(request: Request) -> int:
        return 50 if isinstance(request, Generate) and "/slow/" in request.thread else 0

    played = list(play_jobs(jobs, {"fake:model": FakeBackend(delay=delay)}))
    assert repeats(played) == [1, 2, 0]


@pytest.mark.parametrize("live", [1, 2, 3, 7])
def test_no_more_than_live_run_at_once_and_jobs_are_drawn_when_needed(live: int) -> None:
    backend = FakeBackend(
        delay=lambda request: request.seed % 3 if isinstance(request, Generate) else 0
    )
    drawn, ended, most = 0, 0, 0

    def jobs() -> Iterator[Job]:
        nonlocal drawn, most
        for repeat in range(12):
            drawn += 1
            most = max(most, drawn - ended)
            yield make_job(lm(), lm(), repeat=repeat)

    for _ in play_jobs(jobs(), {"fake:model": backend}, max_live=live):
        ended += 1
    assert (drawn, ended) == (12, 12)
    assert most == live


def test_episodes_that_end_at_once_are_handed_out_before_more_are_drawn() -> None:
    drawn = 0

    def jobs() -> Iterator[Job]:
        nonlocal drawn
        for repeat in itertools.count():  # a plan without an end
            drawn += 1
            yield make_job(HELLO, HELLO, repeat=repeat)

    played = play_jobs(jobs(), {}, max_live=5)
    assert [next(played).job.item.repeat for _ in range(3)] == [0, 1, 2]
    assert drawn == 3


def test_an_episode_that_ended_does_not_wait_for_a_model() -> None:
    backend = FakeBackend()
    played = play_jobs(
        [make_job(lm(), HELLO), make_job(HELLO, HELLO, repeat=1)], {"fake:model": backend}
    )
    assert next(played).job.item.repeat == 1
    assert backend.open == 1  # asked, but not waited for


def test_what_is_said_depends_neither_on_live_nor_on_the_order_of_answers() -> None:
    def transcripts(live: int, delay: Callable[[Request], int]) -> dict[int, list[str]]:
        jobs = [make_job(lm(), lm(), repeat=repeat) for repeat in range(6)]
        backend = FakeBackend(delay=delay)
        return {
            each.job.item.repeat: texts(each)
            for each in play_jobs(jobs, {"fake:model": backend}, max_live=live)
        }

    alone = transcripts(1, lambda request: 0)
    assert len({tuple(lines) for lines in alone.values()}) == 6
    assert transcripts(6, lambda request: 0) == alone
    assert transcripts(4, lambda request: len(str(request)) % 5) == alone


def test_two_models_work_side_by_side() -> None:
    one, two = (
        FakeBackend(lambda request: "One."),
        FakeBackend(lambda request: "Two.", delay=lambda request: 3),
    )
    jobs = [make_job(lm("a"), lm("b"), repeat=repeat, turns=2) for repeat in range(5)]
    played = list(play_jobs(jobs, {"a": one, "b": two}, max_live=3))
    assert sorted(repeats(played)) == [0, 1, 2, 3, 4]
    assert all(texts(each) == ["One.", "Two."] for each in played)
    assert (len(one.requests), len(two.requests)) == (5, 5)


def test_simultaneous_seats_are_asked_together() -> None:
    backend = FakeBackend()
    job = make_job(lm(), lm(), turns=1, order=TurnOrder.simultaneous)
    (played,) = play_jobs([job], {"fake:model": backend})
    assert [act.seat for act in played.episode.turns[0].acts] == ["ann", "bo"]
    assert (
        len({request.thread for request in backend.requests if isinstance(request, Generate)}) == 2
    )


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (Says(broken), "KeyError: 'seat'"),
        (Says(breaks_at_once), "OSError: no disk"),
        (Says(breaks_after_an_answer, model="fake:model"), "ValueError: cannot read this"),
        (Says(returns_nothing), "expected an Act or a Failure, got NoneType"),
        (Says(asks), "TypeError: it asks a model, but names none"),
        (Says(asks_for_a_text, model="fake:model"), "TypeError: not a request: str"),
    ],
    ids=["next", "act", "send", "nothing", "no model", "no request"],
)
def test_an_agent_that_breaks_is_a_failed_episode_and_the_others_go_on(
    agent: Agent, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [make_job(HELLO, agent, repeat=0), make_job(lm(), HELLO, repeat=1)]
    with caplog.at_level(logging.CRITICAL):
        played = {
            each.job.item.repeat: each.episode
            for each in play_jobs(jobs, {"fake:model": FakeBackend()})
        }
    failed = played[0]
    assert (failed.ending, failed.reason) == (Ending.failed, "error")
    assert failed.failure == Failure(boundary="agent", kind="error", message=message)
    assert [act.action.text for act in failed.acts] == ["Hello."]  # what was said before is kept
    assert played[1].ending is Ending.turn_limit


def test_a_models_failure_is_one_failed_episode() -> None:
    failure = Failure(boundary="model", kind="http-500", message="server error")
    bad = make_job(lm(), HELLO, repeat=1).seed

    def answer(request: Request) -> str | Failure:
        return (
            failure
            if isinstance(request, Generate) and request.thread.startswith(f"{bad}/")
            else "Fine"
        )

    jobs = [make_job(lm(), HELLO, repeat=repeat) for repeat in range(3)]
    played = {
        each.job.item.repeat: each.episode
        for each in play_jobs(jobs, {"fake:model": FakeBackend(answer)})
    }
    assert played[1].failure == failure
    assert [played[repeat].ending for repeat in (0, 1, 2)] == [
        Ending.turn_limit,
        Ending.failed,
        Ending.turn_limit,
    ]


def test_an_act_against_the_rules_is_the_engines_failure() -> None:
    def intrudes(observation: Observation) -> ActGenerator:
        return Act(seat="mayor", action=Action(kind=ActionKind.none))
        yield AskPerson(observation=observation)

    (played,) = play_jobs([make_job(Says(intrudes), HELLO)], {})
    assert played.episode.failure is not None
    assert (played.episode.failure.boundary, played.episode.failure.kind) == (
        "engine",
        "bad-action",
    )


def test_a_backend_that_loses_requests_does_not_hang_the_run() -> None:
    (played,) = play_jobs([make_job(lm(), HELLO)], {"fake:model": LosingBackend()})
    assert played.episode.failure == Failure(
        boundary="model", kind="lost", message="fake:model never answered the request"
    )


def test_a_run_after_an_abandoned_one_on_the_same_backend() -> None:
    backend = FakeBackend(delay=lambda request: 2)
    abandoned = play_jobs(
        [make_job(lm(), HELLO), make_job(HELLO, HELLO, repeat=1)], {"fake:model": backend}
    )
    next(abandoned)
    abandoned.close()  # type: ignore[attr-defined]
    assert backend.open == 1
    (played,) = play_jobs([make_job(lm(), HELLO, repeat=2)], {"fake:model": backend})
    assert played.episode.ending is Ending.turn_limit


@pytest.mark.parametrize(
    ("backends", "live", "message"),
    [
        ({}, 4, "no backend for 'fake:model'"),
        ({"fake:model": FakeBackend()}, 0, "live is 0; at least one"),
    ],
)
def test_the_callers_mistakes_are_raised(
    backends: Mapping[str, FakeBackend], live: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        list(play_jobs([make_job(lm(), HELLO)], backends, max_live=live))


@pytest.mark.parametrize("order", TurnOrder)
def test_acts_are_told_turn_by_turn_before_the_episode_is_handed_out(order: TurnOrder) -> None:
    told: list[tuple[int, int, str]] = []

    def hear(job: Job, turn: int, acts: Sequence[Act]) -> None:
        told.extend((job.item.repeat, turn, act.action.text) for act in acts)

    jobs = [make_job(HELLO, LEAVER, repeat=repeat, order=order) for repeat in range(2)]
    for played in play_jobs(jobs, {}, on_acts=hear):
        repeat = played.job.item.repeat
        acts = [
            (repeat, turn.index, act.action.text)
            for turn in played.episode.turns
            for act in turn.acts
        ]
        assert [one for one in told if one[0] == repeat] == acts
        assert len(acts) >= 2
