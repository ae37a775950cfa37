"""Where a run's time went, stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents import find_specs
from scenarios import find_scenarios
from simworld.core.profile import ProfilePart
from simworld.core.protocols import Backend
from simworld.runner import profiler as profiler_module
from simworld.runner.agent_pool import AgentPool, load_agents
from simworld.runner.conversations import PlayCounters
from simworld.runner.profiler import Profiler
from simworld.runner.run_plan import Cast, RunPlan
from simworld.runner.stored_run import RunProgress, play_missing
from simworld.runner.turn_progress import TurnProgress
from simworld.testing import FakeBackend, example_scenario
from store import Store, open_store
from tests.factories.lm_requests import talking_agent

SCRIPTED = (
    "name: {name}\nkind: scripted\nlines: [Good evening., And then?, '[nods]']\nafter: repeat\n"
)


class Metered(FakeBackend):
    """Knows where its time goes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = {"decode": ProfilePart(seconds=5.0, tokens=50)}

    def parts_spent(self) -> Mapping[str, ProfilePart]:
        return dict(self.now)


def test_what_a_backend_spent_while_it_ran_counts_and_others_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(profiler_module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    metered = Metered()
    backends: dict[str, Backend] = {"local": metered, "far": FakeBackend(), "person": FakeBackend()}
    profiler = Profiler(backends)
    metered.now = {
        "decode": ProfilePart(seconds=5.5, tokens=60),
        "sampling": ProfilePart(seconds=0.25, tokens=10),
    }
    with profiler.time("storing"):
        clock.now += 0.5
    clock.now += 2.0
    found = profiler.profile({"local": 9.0, "far": 0.5, "person": 0.25})
    assert found.wall_s == 2.5
    assert found.parts == {
        "storing": ProfilePart(seconds=0.5),
        "decode": ProfilePart(seconds=0.5, tokens=10),
        "sampling": ProfilePart(seconds=0.25, tokens=10),
        "waiting": ProfilePart(seconds=0.75),
    }


def test_the_share_done_counts_unfinished_conversations() -> None:
    pace = TurnProgress(turn_limits=100)  # ten of ten turns
    assert pace.done_share(PlayCounters()) == 0
    assert pace.done_share(PlayCounters(turns=10, live_turn_limits=40)) == pytest.approx(0.1)
    pace.ended_turns, pace.ended_limits = 20, 40  # four that ended half-way
    assert pace.done_share(PlayCounters(turns=30, live_turn_limits=40)) == pytest.approx(
        30 / (100 * (20 + 40) / 80)
    )
    pace.ended_turns, pace.ended_limits = 60, 100
    assert pace.done_share(PlayCounters(turns=60)) == 1


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPlan:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(SCRIPTED.format(name=name))
    loaded = find_specs(["one", "two"])
    scenarios = tuple(
        found.scenario for found in find_scenarios(["last-concert-ticket", "dinner-gone-cold"])
    )
    specs = {each.spec.name: each for each in loaded}
    return RunPlan(
        run="r",
        seed=1,
        repeats=2,
        scenarios=scenarios,
        casts=(Cast(by_order=("one", "two")),),
        specs=specs,
    )


def profile_of(store: Store) -> list[dict[str, Any]]:
    (summary,) = store.run_summaries()
    return list((summary.run.profile or {}).get("commands", ()))


def test_every_command_that_played_adds_to_the_runs_profile(plan: RunPlan, tmp_path: Path) -> None:
    with (
        open_store(str(tmp_path / "x.db"), create=True) as store,
        load_agents(plan.specs.values()) as agent_pool,
    ):
        seen: list[RunProgress] = []
        done = play_missing(plan, agent_pool, store, on_progress=seen.append)
        assert done.played == 4
        assert [p.played for p in seen] == [0, 1, 2, 3, 4]
        assert seen[-1].done_share == 1
        assert [p.done_share for p in seen] == sorted(p.done_share for p in seen)
        assert done.profile is not None
        (first,) = profile_of(store)
        assert first["episodes"] == 4
        assert first["turns"] == sum(s.turns for s in store.episode_summaries(run="r"))
        assert set(first["parts"]) == {"storing", "other"}
        assert first["parts"]["storing"]["seconds"] + first["parts"]["other"][
            "seconds"
        ] == pytest.approx(first["wall_s"], abs=0.002)
        again = play_missing(plan, agent_pool, store)
        assert again.played == 0
        assert profile_of(store) == [first]


def test_ctrl_c_keeps_the_profile(plan: RunPlan, tmp_path: Path) -> None:
    def stop(progress: RunProgress) -> None:
        if progress.played == 2:
            raise KeyboardInterrupt

    with (
        open_store(str(tmp_path / "x.db"), create=True) as store,
        load_agents(plan.specs.values()) as agent_pool,
    ):
        with pytest.raises(KeyboardInterrupt):
            play_missing(plan, agent_pool, store, on_progress=stop)
        (stopped,) = profile_of(store)
        assert stopped["episodes"] == 2
        play_missing(plan, agent_pool, store)
        assert [each["episodes"] for each in profile_of(store)] == [2, 2]


def test_tokens_are_told_before_an_episode_ends(plan: RunPlan, tmp_path: Path) -> None:
    backend = FakeBackend()
    agents = {name: talking_agent(name) for name in plan.specs}
    agent_pool = AgentPool(agents=agents, backends={"fake:model": backend}, infos={})
    alone = RunPlan(
        run="t",
        seed=1,
        repeats=1,
        scenarios=(example_scenario(),),
        casts=(Cast(by_seat={"*": "one"}),),
        specs=plan.specs,
    )
    seen: list[RunProgress] = []
    with open_store(str(tmp_path / "y.db"), create=True) as store:
        done = play_missing(alone, agent_pool, store, on_progress=seen.append)
    before = [p for p in seen if p.played == 0]
    assert (
        0 == before[0].new_tokens < before[1].new_tokens < before[-1].new_tokens <= done.new_tokens
    )
    assert [p.done_share for p in before] == pytest.approx([turn / 6 for turn in range(7)])
    assert done.profile is not None
    assert "waiting" in done.profile.parts  # it does not say where its time goes
