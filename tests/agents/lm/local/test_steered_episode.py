"""Both seats steered on a tiny model: from files to a played episode, into a store and back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from agents import find_specs
from agents.lm import load_backend
from agents.lm_agent import LMAgent
from agents.prompting import build_prompt
from agents.steering.checkpoint_folder import read_folder
from simworld.cli.train.upmap import upmap
from simworld.core.engine import play
from simworld.core.episode import Ending, Episode, Observation, PlanStep
from simworld.core.requests import Encode, Encoded
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.runner import play_jobs
from simworld.runner.agent_pool import AgentPool, load_agents
from simworld.runner.run_plan import Cast, RunPlan
from simworld.runner.stored_run import play_missing
from store import open_store

SCENARIO = Scenario(
    name="bench",
    setting="A bench.",
    seats=tuple(
        Seat(name=name.lower(), persona=Persona(name=name), goal="Talk.") for name in ("Ann", "Ben")
    ),
    limits=Limits(turns=6, silence=9),
)
PROMPT = "style: script\ninstructions: '{{name}}: {{goal}}'\n"


@pytest.fixture(params=["start", "mid", "end"])
def agent_pool(
    request: pytest.FixtureRequest, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AgentPool]:
    """`explorer` and `fixed` take random directions at some position, each turn or for the episode;
    `plain` records states."""
    monkeypatch.chdir(tmp_path)
    common = (
        f"model: hf:{llama}\ndtype: float32\nprompt: short.yaml\nreasks: 9\nsampling:"
        " {max_new_tokens: 6}\n"
    )
    sizes = ["--tokens", "2", "--action-size", "6", "--position", request.param, "--act-norm", "2"]
    made = CliRunner().invoke(
        upmap, ["--model", f"hf:{llama}", "--dtype", "float32", *sizes, "--out", "bare"]
    )
    assert made.exit_code == 0, made.exception
    Path("short.yaml").write_text(PROMPT)
    for name, rest in {
        "explorer": "steering: {planner: bare, explore: {kind: random}}",
        "fixed": "steering: {planner: bare, explore: {kind: random, per: episode}}",
        "plain": "record_states: true",
    }.items():
        Path(f"{name}.yaml").write_text(f"name: {name}\n{common}{rest}\n")
    with load_agents(find_specs(["explorer", "fixed", "plain"])) as opened:
        yield opened


def make_plan(cast: tuple[str, str], repeats: int = 1) -> RunPlan:
    specs = {loaded.spec.name: loaded for loaded in find_specs(list(dict.fromkeys(cast)))}
    return RunPlan(
        run="r",
        seed=0,
        repeats=repeats,
        scenarios=(SCENARIO,),
        casts=(Cast(by_order=cast),),
        specs=specs,
    )


def observed(episode: Episode) -> list[Observation]:
    """What each act's seat knew, by playing the episode again."""
    game = play(SCENARIO, episode.cast, episode.seed)
    seen = []
    due = next(game)
    for act in episode.acts:
        seen.append(due[act.seat])
        try:
            due = game.send({act.seat: act})
        except StopIteration:
            break
    return seen


def steps(episode: Episode) -> list[PlanStep]:
    found = [act.plan for act in episode.acts]
    assert None not in found
    return [step for step in found if step is not None]


def test_both_seats_are_steered_and_their_vectors_come_back(
    agent_pool: AgentPool, llama: Path, gather: Callable[..., list[Any]]
) -> None:
    with open_store("sqlite:///world.db", create=True) as store:
        done = play_missing(make_plan(("explorer", "fixed")), agent_pool, store)
        assert (done.played, done.failed) == (1, 0)
        (stored,) = store.episodes(run="r", vectors=True)
    episode = stored.episode
    assert episode.ending is Ending.turn_limit
    acts, seen = steps(episode), observed(episode)
    assert len(acts) == len(seen) == 6
    planner = read_folder(Path("bare"))
    agent = agent_pool.agents["explorer"]
    assert isinstance(agent, LMAgent)
    assert agent.steering is not None
    assert {(step.planner_id, step.noisy, step.encoder_id) for step in acts} == {
        (planner.id, True, agent.steering.encoder.id)
    }
    # The states are those of the unsteered prompts, as a model reads them that was never steered.
    fresh = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    read = gather(
        fresh, [Encode(prompt=build_prompt(agent.template, observation)) for observation in seen]
    )
    fresh.close()
    for step, answer, observation in zip(acts, read, seen, strict=True):
        assert isinstance(answer, Encoded)
        assert step.state.shape == (33,)
        assert np.allclose(step.state[:-1], answer.state, atol=2e-4)
        assert step.state[-1] == np.float32((6 - observation.turn) / 6)
        assert step.action is not None
        assert np.linalg.norm(step.action) == pytest.approx(6**0.5, rel=1e-5)
    actions = np.stack([step.action for step in acts if step.action is not None])
    assert not np.allclose(actions[0], actions[2])  # a direction for each turn
    assert np.array_equal(actions[1], actions[3])  # one for the episode
    assert np.array_equal(actions[1], actions[5])
    assert not np.allclose(actions[0], actions[1])


def test_a_prefix_changes_what_is_said_and_other_episodes_do_not(
    agent_pool: AgentPool,
) -> None:
    def played(cast: tuple[str, str], repeats: int) -> list[Episode]:
        done = play_jobs(make_plan(cast, repeats).make_jobs(agent_pool.agents), agent_pool.backends)
        return [one.episode for one in sorted(done, key=lambda one: one.job.item.repeat)]

    def said(episode: Episode) -> list[str]:
        assert episode.failure is None
        return [act.generation.raw for act in episode.acts if act.generation]

    plain = played(("plain", "plain"), 1)[0]
    alone = played(("explorer", "plain"), 1)[0]
    batch = played(("explorer", "plain"), 3)
    assert said(batch[0]) == said(alone)
    # the same state and the same random numbers: only the prefix differs
    assert said(alone)[0] != said(plain)[0]
    assert np.allclose(steps(alone)[0].state, steps(plain)[0].state, atol=2e-4)
    assert [step.action is None for step in steps(alone)] == [False, True] * 3
    assert all(step.action is None and not step.planner_id for step in steps(plain))
