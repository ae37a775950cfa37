"""Loops with a latent up-mapping, and rounds: along ways of replying, or around the planner of the
round before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from agents.steering.checkpoint import load_checkpoint
from agents.steering.named_ways import NEUTRAL
from simworld import connect
from store import open_store
from tests.factories.pipelines import FILE, STAGES, call, skipped


def test_a_loop_with_a_latent_upmap_in_self_play(folder: Path) -> None:
    text = FILE.replace(
        "reward: {", "latent: {size: 3, steps: 2, batch_size: 2, replies: 6, tested: 2}\nreward: {"
    )
    collect = "collect: {self_play: true, explore: {kind: noise, sigma: 1}}\n"
    (folder / "loop.yaml").write_text(text + collect)
    (dry,) = call("--dry-run")
    # six arms
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 4, 24]
    (found,) = call()
    names = list(skipped(found))
    assert names == [*STAGES[:3], "latent", *STAGES[3:]]
    with open_store("x.db") as store:
        (run,) = [each.run.name for each in store.run_summaries() if "-collect-" in each.run.name]
        casts = [each.episode.cast for each in store.episodes(run=run)]
    assert all(len(set(cast.values())) == 1 for cast in casts)  # the explorer in every seat
    planner = load_checkpoint(folder / found["planner"])
    assert planner.info.upmap == "latent"
    assert all(skipped(call()[0]).values())
    (folder / "loop.yaml").write_text((text + collect).replace("[a-z]", "[a-m]"))
    again = skipped(call()[0])  # another reward for the same replies
    assert [name for name in names if not again[name]] == [
        "dataset",
        "train",
        "constant",
        "evaluate",
    ]


def test_an_explorer_that_stays_near_the_clone_is_an_arm_of_its_own(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + "collect: {explore: {kind: noise, sigma: 0.05}}\n")
    (found,) = call()
    assert set(found["report"]["arms"]) == {
        "base",
        "clone",
        "random",
        "explorer",
        "constant",
        "planner",
    }
    assert mean_length("plain-explorer") > 0.98  # all one way, as those that were collected
    assert mean_length("plain-explore") > 0.98
    assert mean_length("plain-random") < 0.9


def test_rounds_of_ways_try_the_most_rewarded_again_beside_the_neutral_action(folder: Path) -> None:
    text = FILE.replace(
        "reward: {",
        "latent: {size: 3, ways: 4, steps: 1, batch_size: 2, replies: 6, tested: 2}\nreward: {",
    )
    collect = (
        "rounds: 2\ncollect: {repeats: 3, explore: {kind: ways, per: episode}, keep: 0.5, share:"
        " 0.2}\n"
    )
    (folder / "loop.yaml").write_text(
        text.replace("evaluate: {quality: 0}", "evaluate: {quality: 0, arms: [base, planner]}")
        + collect
    )
    (found,) = call()
    names = [stage["stage"].rsplit("-", 1)[0] for stage in found["stages"]]
    assert names == [
        *STAGES[:3],
        "latent",
        "collect",
        "dataset",
        "ways",
        "collect",
        "dataset",
        "train",
        "evaluate",
    ]
    stages = {name: stage["stage"] for name, stage in zip(names, found["stages"], strict=True)}
    all_ways, fewer = (
        load_checkpoint(folder / "learn-tiny" / stages[name]) for name in ("latent", "ways")
    )
    assert all_ways.ways is not None
    assert fewer.ways is not None
    assert fewer.info.parent == all_ways.id
    assert load_checkpoint(folder / found["planner"]).info.parent == fewer.id
    # Half of those that were tried, and the neutral action first.
    assert 2 <= len(fewer.ways) <= 3
    assert fewer.ways[0].tolist() == [2, 0, 0, 0]
    torch.testing.assert_close(fewer.ways[1:, 0], torch.full((len(fewer.ways) - 1,), 0.4))
    with open_store("x.db") as store:
        runs = [state.run.name for state in store.run_summaries() if "-collect-" in state.run.name]
        played = [
            {
                str(np.round(np.asarray(act.plan.action), 3))
                for each in store.episodes(run=name)
                for act in each.episode.acts
                if act.plan
            }
            for name in runs
        ]
        trainings = {each.name: each for each in store.training_runs()}
    policy = trainings[f"tiny-{stages['train']}"].metrics["policy"]
    assert policy["n"] == sum(policy["counts"]) > 0
    assert len(fewer.info.way_words) == len(fewer.ways)  # of what was said in the first round
    assert fewer.info.way_words[0] == NEUTRAL
    assert {str(np.round(way, 3)) for way in fewer.ways.numpy()} in played
    assert all(skipped(call()[0]).values())


def test_a_round_explores_around_the_planner_of_the_one_before(folder: Path) -> None:
    collect = "rounds: 2\ncollect: {explore: {kind: noise, sigma: 0.5}}\n"
    (folder / "loop.yaml").write_text(
        FILE.replace("evaluate: {quality: 0}", "evaluate: {quality: 0, arms: [base, planner]}")
        + collect
    )
    (dry,) = call("--dry-run")
    assert [stage["episodes"] for stage in dry["stages"] if stage["episodes"]] == [4, 8, 8, 8]
    (found,) = call()
    names = [stage["stage"].rsplit("-", 1)[0] for stage in found["stages"]]
    assert names == ["upmap", "replies", "clone", *["collect", "dataset", "train"] * 2, "evaluate"]
    work = folder / "learn-tiny"
    first, second = (
        load_checkpoint(work / stage["stage"])
        for stage in found["stages"]
        if stage["stage"].startswith("train-")
    )
    assert second.info.parent == first.id
    assert load_checkpoint(folder / found["planner"]).id == second.id
    with open_store("x.db") as store:
        played = [
            {
                act.plan.planner_id
                for each in store.episodes(run=state.run.name)
                for act in each.episode.acts
                if act.plan
            }
            for state in store.run_summaries()
            if "-collect-" in state.run.name
        ]
    assert sorted(map(len, played)) == [1, 1]
    assert {first.id} in played
    assert {second.id} not in played
    assert all(skipped(call()[0]).values())


def mean_length(agent: str) -> float:
    """Of an agent's actions in x.db, as a share of the length of each."""
    with connect("x.db") as analysis:
        blobs = analysis.sql(
            "SELECT p.action FROM plan_steps p JOIN acts a ON a.episode_id = p.episode_id AND"
            " a.turn = p.turn JOIN episode_seats s ON s.episode_id = p.episode_id AND s.seat ="
            " a.seat WHERE s.agent_name = :agent",
            agent=agent,
        )
    actions = np.stack([np.frombuffer(blob, np.float32) for blob in blobs["action"]])
    return float(np.linalg.norm(actions.mean(0)) / np.linalg.norm(actions[0]))
