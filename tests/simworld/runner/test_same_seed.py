"""Same seed, same episode: on the built-in model, in float32, whatever is played beside it and in
whatever order."""

from dataclasses import replace

import pytest

from agents import find_specs
from scenarios import find_scenarios
from simworld.core.episode import Episode
from simworld.runner import play_jobs
from simworld.runner.agent_pool import AgentPool, load_agents
from simworld.runner.run_plan import Cast, RunPlan

NAMES = ["last-concert-ticket", "whose-dog-is-it", "dinner-gone-cold", "cake-by-friday"]


def play(
    agent_pool: AgentPool, plan: RunPlan, *, max_live: int, backwards: bool = False
) -> dict[str, list[str]]:
    jobs = plan.make_jobs(agent_pool.agents)
    played = play_jobs(jobs[::-1] if backwards else jobs, agent_pool.backends, max_live=max_live)
    return {p.job.item.key: transcript(p.episode) for p in played}


def transcript(episode: Episode) -> list[str]:
    assert episode.failure is None
    return [f"{act.seat}: {act.generation.raw if act.generation else ''}" for act in episode.acts]


@pytest.mark.model
def test_transcripts_do_not_depend_on_the_batch_the_order_or_the_other_cast() -> None:
    (loaded,) = find_specs(["smol-script"])
    loaded = replace(loaded, spec=loaded.spec.model_copy(update={"dtype": "float32"}))
    scenarios = tuple(
        replace(found.scenario, limits=replace(found.scenario.limits, turns=3))
        for found in find_scenarios(NAMES)
    )
    name = loaded.spec.name
    plan = RunPlan(
        run="r",
        seed=5,
        repeats=1,
        scenarios=scenarios,
        casts=(Cast(by_seat={"*": name}),),
        specs={name: loaded},
    )
    with load_agents([loaded]) as agent_pool:
        alone = play(agent_pool, plan, max_live=1)
        together = play(agent_pool, plan, max_live=4, backwards=True)
    assert len(alone) == 4
    assert alone == together
    assert len({tuple(lines) for lines in alone.values()}) == 4
