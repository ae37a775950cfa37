"""Every scenario of the library plays through on the built-in model."""

import pytest

from agents import find_specs
from agents.replies.line_similarity import line_similarity
from scenarios import find_scenarios
from simworld.core.episode import ActionKind, Ending
from simworld.runner import play_jobs
from simworld.runner.agent_pool import load_agents
from simworld.runner.run_plan import Cast, RunPlan


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_library_scenario_plays_through() -> None:
    """Takes about four minutes on two cores."""
    (loaded,) = find_specs(["smol-script"])
    name = loaded.spec.name
    scenarios = tuple(found.scenario for found in find_scenarios(["library"]))
    plan = RunPlan(
        run="library",
        seed=0,
        repeats=1,
        scenarios=scenarios,
        casts=(Cast(by_seat={"*": name}),),
        specs={name: loaded},
    )
    with load_agents([loaded]) as agent_pool:
        played = list(
            play_jobs(
                plan.make_jobs(agent_pool.agents), agent_pool.backends, max_live=len(scenarios)
            )
        )
    assert {p.job.scenario.name for p in played} == {scenario.name for scenario in scenarios}
    failed = {
        p.job.scenario.name: str(p.episode.failure)
        for p in played
        if p.episode.ending is Ending.failed
    }
    assert not failed
    spoken = [
        (act.action.text, [earlier.action.text for earlier in p.episode.acts[:place]])
        for p in played
        for place, act in enumerate(p.episode.acts)
        if act.action.kind is ActionKind.speak
    ]
    repeats = sum(line_similarity(text, earlier) >= 0.6 for text, earlier in spoken)
    assert repeats / len(spoken) < 0.02
