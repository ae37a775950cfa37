"""Runs that stop before their end, and what the same command does after the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents import LMSpec, LoadedSpec, ScriptedSpec, make_agent, model_key
from agents.prompting import PromptTemplate
from simworld.core.episode import Ending
from simworld.core.errors import BudgetSpent, Failure, Stopped
from simworld.core.requests import Completion, Generated, Request
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.core.stopping import MaxFailures, StopTracker
from simworld.runner.agent_pool import AgentPool
from simworld.runner.run_plan import Cast, RunPlan
from simworld.runner.stored_run import RunProgress, play_missing
from store import Store, open_store
from tests.factories.judging import AnsweringBackend

MODEL = "openai:m@http://127.0.0.1:1/v1"
PAIR = Scenario(
    name="bench",
    setting="A bench.",
    seats=tuple(
        Seat(name=name, persona=Persona(name=name.title()), goal="Talk.") for name in ("ann", "bo")
    ),
    limits=Limits(turns=4, silence=9),
)
UNKNOWN = Failure(boundary="model", kind="http-404", message="HTTP 404: no model m")
BROKEN = Failure(boundary="model", kind="invalid", message="the answer is not JSON")


def said(text: str = "Hello there.") -> Generated:
    return Generated(text=text, prompt_tokens=40, new_tokens=10, finish="stop", latency_s=0.0)


def cast() -> tuple[LoadedSpec, LoadedSpec]:
    ann = ScriptedSpec(name="hello", kind="scripted", lines=("Hello.",), after="repeat")
    bo = LMSpec(name="lm", model=MODEL, reasks=0, max_similarity=1)
    template = PromptTemplate(style="script", instructions="{{goal}}")
    return (
        LoadedSpec(spec=ann, source=Path("hello.yaml"), template=None, template_source=None),
        LoadedSpec(
            spec=bo, source=Path("lm.yaml"), template=template, template_source=Path("script.yaml")
        ),
    )


def play(
    store: Store,
    answer: Callable[[Request], Completion],
    stopping: StopTracker | None = None,
    *,
    repeats: int = 10,
    max_live: int = 3,
) -> tuple[RunProgress, AnsweringBackend]:
    """Ann is scripted, Bo asks the model twice an episode, 50 tokens each time."""
    ann, bo = cast()
    backend = AnsweringBackend(answer)
    agents = {"hello": make_agent(ann), "lm": make_agent(bo, backend.info)}
    assert isinstance(bo.spec, LMSpec)
    agent_pool = AgentPool(
        agents=agents, backends={model_key(bo.spec): backend}, infos={"lm": backend.info}
    )
    plan = RunPlan(
        run="r",
        seed=0,
        repeats=repeats,
        scenarios=(PAIR,),
        casts=(Cast(by_order=("hello", "lm")),),
        specs={"hello": ann, "lm": bo},
    )
    return play_missing(plan, agent_pool, store, stopping=stopping, max_live=max_live), backend


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/s.db", create=True)


def endings(store: Store) -> list[Ending]:
    return [state.ending for state in store.item_states("r").values()]


@pytest.mark.parametrize("max_live", [1, 3, 32])
def test_a_row_of_final_failures_stops_and_the_same_command_plays_all_of_them(
    store: Store, max_live: int
) -> None:
    with pytest.raises(
        Stopped, match="5 requests in a row failed for good; the last: HTTP 404: no model m"
    ):
        play(store, lambda request: UNKNOWN, max_live=max_live)
    assert endings(store) == []
    done, _ = play(store, lambda request: said(), max_live=max_live)
    assert (done.finished_before, done.played, done.failed) == (0, 10, 0)
    assert endings(store) == [Ending.turn_limit] * 10


def test_what_was_played_before_the_key_expired_stays(store: Store) -> None:
    left = iter(range(6))
    with pytest.raises(Stopped):
        play(store, lambda request: said() if next(left, None) is not None else UNKNOWN, max_live=1)
    assert endings(store) == [Ending.turn_limit] * 3
    done, _ = play(store, lambda request: said())
    assert (done.finished_before, done.played, done.failed) == (3, 7, 0)


def test_fewer_than_five_in_a_row_are_stored_as_failed(store: Store) -> None:
    pattern: Iterator[Completion] = iter([*[UNKNOWN] * 4, said(), said(), *[UNKNOWN] * 4])
    done, _ = play(store, lambda request: next(pattern, said()), max_live=1)
    assert (done.played, done.failed) == (10, 8)
    assert endings(store).count(Ending.failed) == 8


def test_malformed_answers_stop_nothing_unless_it_is_asked_for(store: Store) -> None:
    done, _ = play(store, lambda request: BROKEN)
    assert (done.played, done.failed) == (10, 10)


def test_more_failures_than_allowed_stop_a_run(store: Store) -> None:
    with pytest.raises(Stopped, match="3 of 10 episodes failed, more than --max-failures allows"):
        play(
            store,
            lambda request: BROKEN,
            StopTracker(max_failures=MaxFailures(share=0.2)),
            max_live=1,
        )
    assert endings(store) == [Ending.failed] * 3
    done, _ = play(store, lambda request: said())
    assert (done.finished_before, done.played, done.failed) == (3, 7, 0)


def test_a_budget_ends_a_run_and_the_next_one_goes_on(store: Store) -> None:
    stopping = StopTracker(budget_tokens=420)
    done, backend = play(store, lambda request: said(), stopping, max_live=32)
    assert (done.played, done.failed, done.planned) == (4, 0, 10)
    assert stopping.used_tokens == 400  # four of 100
    assert len(backend.asked) == 8
    with pytest.raises(BudgetSpent):
        stopping.raise_if_budget_spent()
    done, _ = play(store, lambda request: said(), StopTracker(budget_tokens=100_000))
    assert (done.finished_before, done.played) == (4, 6)


def test_a_budget_smaller_than_one_episode_still_gets_on(store: Store) -> None:
    for played in range(3):
        done, _ = play(store, lambda request: said(), StopTracker(budget_tokens=1), repeats=3)
        assert (done.finished_before, done.played) == (played, 1)


def test_a_budget_that_ends_with_the_work_is_not_spent(store: Store) -> None:
    stopping = StopTracker(budget_tokens=1000)
    done, _ = play(store, lambda request: said(), stopping)
    assert (done.played, stopping.used_tokens, stopping.budget_exhausted) == (10, 1000, False)
