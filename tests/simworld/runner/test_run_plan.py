"""Work items are derived from names and content."""

from pathlib import Path

import pytest

from agents import ScriptedAgent, load_spec, make_agent
from simworld.core.errors import InputError
from simworld.core.protocols import Agent
from simworld.core.scenario import Persona, Scenario, Seat
from simworld.runner.run_plan import Cast, RunPlan


def scenario(name: str, *seats: str) -> Scenario:
    return Scenario(
        name=name,
        setting=f"Setting of {name}.",
        seats=tuple(
            Seat(name=seat, persona=Persona(name=seat.title()), goal="talk") for seat in seats
        ),
    )


@pytest.fixture
def agents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Agent]:
    folder = tmp_path_factory.mktemp("agents")
    found = {}
    for name in ("one", "two"):
        path = folder / f"{name}.yaml"
        path.write_text(f"name: {name}\nkind: scripted\nlines: [I am {name}.]\n")
        found[name] = make_agent(load_spec(path))
    return found


def plan(*scenarios: Scenario, casts: tuple[Cast, ...], repeats: int = 1, seed: int = 0) -> RunPlan:
    return RunPlan(run="r", seed=seed, repeats=repeats, scenarios=scenarios, casts=casts, specs={})


def test_a_cast_in_seat_order_and_by_seat() -> None:
    table = scenario("x", "ann", "bob", "cat")
    assert Cast(by_order=("a", "b", "c")).seating(table) == {"ann": "a", "bob": "b", "cat": "c"}
    assert Cast(by_seat={"*": "a", "bob": "b"}).seating(table) == {
        "ann": "a",
        "bob": "b",
        "cat": "a",
    }


@pytest.mark.parametrize(
    ("cast", "message"),
    [
        (
            Cast(by_order=("a",)),
            (
                "scenario 'x' has the seats ann, bob, but --agents names 1 (a); or use --cast"
                " '*=AGENT'"
            ),
        ),
        (
            Cast(by_seat={"bib": "a", "*": "a"}),
            "scenario 'x' has the seats ann, bob; there is no seat 'bib'; did you mean 'bob'?",
        ),
        (
            Cast(by_seat={"ann": "a"}),
            (
                "scenario 'x' has the seats ann, bob; nobody is cast for bob: add --cast"
                " 'bob=AGENT' or '*=AGENT'"
            ),
        ),
    ],
)
def test_a_cast_that_does_not_fit(cast: Cast, message: str) -> None:
    with pytest.raises(InputError) as error:
        cast.seating(scenario("x", "ann", "bob"))
    assert str(error.value) == message


def test_everything_that_does_not_fit_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        plan(
            scenario("x", "ann", "bob"), scenario("y", "cat", "dan"), casts=(Cast(by_order=("a",)),)
        ).seatings()
    assert [problem.message.split()[1] for problem in error.value.problems] == ["'x'", "'y'"]


def test_jobs_do_not_depend_on_the_order_of_scenarios_or_casts(agents: dict[str, Agent]) -> None:
    x, y = scenario("x", "ann", "bob"), scenario("y", "ann", "bob")
    there, back = Cast(by_order=("one", "two")), Cast(by_order=("two", "one"))
    jobs = plan(x, y, casts=(there, back), repeats=2).make_jobs(agents)
    turned = plan(y, x, casts=(back, there), repeats=2).make_jobs(agents)
    assert len(jobs) == 8
    assert {(job.item.key, job.seed) for job in jobs} == {
        (job.item.key, job.seed) for job in turned
    }


def test_both_casts_share_their_random_numbers_and_repeats_do_not(agents: dict[str, Agent]) -> None:
    there, back = Cast(by_order=("one", "two")), Cast(by_order=("two", "one"))
    jobs = plan(scenario("x", "ann", "bob"), casts=(there, back), repeats=3).make_jobs(agents)
    by_repeat = {
        repeat: {job.seed for job in jobs if job.item.repeat == repeat} for repeat in range(3)
    }
    assert [len(seeds) for seeds in by_repeat.values()] == [1, 1, 1]
    assert len(set.union(*by_repeat.values())) == 3


def test_more_repeats_add_items_and_change_none(agents: dict[str, Agent]) -> None:
    cast = Cast(by_seat={"*": "one"})
    few = plan(scenario("x", "ann", "bob"), casts=(cast,), repeats=2).make_jobs(agents)
    many = plan(scenario("x", "ann", "bob"), casts=(cast,), repeats=5).make_jobs(agents)
    assert {job.item.key for job in few} < {job.item.key for job in many}


def test_equal_items_are_played_once(agents: dict[str, Agent]) -> None:
    casts = (Cast(by_order=("one", "one")), Cast(by_seat={"*": "one"}))
    assert len(plan(scenario("x", "ann", "bob"), casts=casts).make_jobs(agents)) == 1


def test_a_scripted_line_for_nobody_at_the_table_is_refused_with_all_others(tmp_path: Path) -> None:
    path = tmp_path / "sly.yaml"
    path.write_text(
        "name: sly\nkind: scripted\nlines: ['Hello.', '(to Cat) Psst.', '(to Dan) Psst.']\n"
    )
    sly = make_agent(load_spec(path))
    # Strangers are known by their roles.
    fits, lacks = scenario("x", "ann", "cat", "dan"), scenario("y", "ann", "cat", "eve")
    cast = Cast(by_seat={"*": "quiet", "ann": "sly"})
    quiet = ScriptedAgent(agent_id="q", lines=("Hello.",))
    assert len(plan(fits, casts=(cast,)).make_jobs({"sly": sly, "quiet": quiet})) == 1
    with pytest.raises(InputError) as error:
        plan(fits, lacks, casts=(cast,)).make_jobs({"sly": sly, "quiet": quiet})
    assert (
        str(error.value)
        == "agent 'sly' as 'ann' in scenario 'y': line 3: it is not clear who is meant by '(to"
        " Dan)'; "
        "those at the table are Cat, Eve"
    )
