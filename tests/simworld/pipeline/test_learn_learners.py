"""A list of learners is a grid: what comes before them is done once, and each makes a planner."""

from __future__ import annotations

from pathlib import Path

from agents.steering.checkpoint import load_checkpoint
from tests.factories.pipelines import FILE, STAGES, call


def test_a_list_of_learners_shares_all_that_comes_before(folder: Path) -> None:
    listed = FILE.replace("train: {", "train: {learner: [iql, awac, constant], ")
    text = listed.replace("td3bc: {alpha: 2}", "iql: {critic_hidden: [4]}, awac: {beta: 2}")
    (folder / "loop.yaml").write_text(text)
    results = call()
    learners = ("iql", "awac", "constant")
    assert [result["values"] for result in results] == [{"train.learner": one} for one in learners]
    labels = [[stage["stage"] for stage in result["stages"]] for result in results]
    for number, stage in enumerate(STAGES):
        alone = stage in ("train", "evaluate")
        assert len({label[number] for label in labels}) == (3 if alone else 1), stage
    for result, learner in zip(results, learners, strict=True):
        planner = load_checkpoint(Path(result["planner"]))
        assert planner.info.constant == (learner == "constant")
        assert planner.info.data["settings"]["learner"] == learner
    assert load_checkpoint(Path(results[0]["planner"])).info.data["settings"]["iql"] == {
        "gamma": 0.99, "tau": 0.005, "actor_rate": 1e-4, "critic_rate": 3e-4,
        "critic_hidden": [4], "layer_norm": False, "expectile": 0.7, "beta": 10.0,
    }  # fmt: skip
