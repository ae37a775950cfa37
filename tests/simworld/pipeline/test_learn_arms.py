"""Loops with every control beside the planner, on a tiny random model."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.steering.checkpoint import load_checkpoint
from simworld.core.errors import InputError
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.learn_file import ARM_NAMES, LearnFile
from simworld.training.data.dataset_folder import load_transitions
from simworld.yamlfile.document import load_text
from store import open_store
from tests.factories.pipelines import FILE, STAGES, call, run, skipped
from tests.simworld.pipeline.test_learn_judged import judged_loop
from tests.simworld.pipeline.test_learn_rules import RULES

SENTENCES = ("{{name}} shouts.", "{{name}} says thank you.")
ARMS = [arm for arm in ARM_NAMES if arm != "explorer"]
LOOP = FILE.replace(
    "evaluate: {quality: 0}",
    f"evaluate: {{quality: 0, seats: first, arms: [{', '.join(ARMS)}],"
    f" prompted: {{sentences: ['{SENTENCES[0]}', '{SENTENCES[1]}']}}}}",
)
CONTROLS = ["ridge", "clock", "gamma0", "blind", "prompted"]


def read(text: str) -> LearnFile:
    (point,) = grid_points(load_text(text, "loop.yaml"))
    return point.file


def evaluated(**evaluate: object) -> str:
    return FILE.replace("evaluate: {quality: 0}", f"evaluate: {json.dumps(evaluate)}")


def test_every_arm_plays_and_is_compared_with_the_planner(folder: Path) -> None:
    (folder / "loop.yaml").write_text(LOOP)
    (found,) = call()
    labels = {stage["stage"].rsplit("-", 1)[0]: stage["stage"] for stage in found["stages"]}
    assert list(labels) == [*STAGES[:-1], *CONTROLS, STAGES[-1]]
    report, work = found["report"], folder / "learn-tiny"
    assert set(report["arms"]) == set(ARMS)
    pairs = {(one["first"], one["second"]) for one in report["comparisons"]}
    assert pairs >= {("planner", arm) for arm in ARMS if arm != "planner"}
    made = {name: load_checkpoint(work / labels[name]) for name in ["train", *CONTROLS[:4]]}
    settings = {name: one.info.data["settings"] for name, one in made.items()}
    expected = settings["train"]
    assert settings["clock"] == expected | {"sees": "turns_left"}
    assert settings["gamma0"] == expected | {"td3bc": expected["td3bc"] | {"gamma": 0.0}}
    assert settings["ridge"]["learner"] == "ridge"
    assert settings["ridge"]["ridge"] == {"gamma": 0.0}
    assert len({one.id for one in made.values()}) == 5
    assert len({one.info.data["sha256"] for one in made.values()}) == 1

    # what the blind one does is what the planner does in a stored state of that turn
    (dataset,) = (work / "datasets").glob("*/meta.json")
    data = load_transitions(dataset.parent)
    states = torch.from_numpy(np.array(data.states[data.state_rows]))
    chosen = made["train"].choose_actions(states).numpy()
    turns = set()
    with open_store("x.db") as store:
        stored = list(store.episodes(run=f"tiny-{labels['evaluate']}"))
        arm_of = {arm["agent"]: name for name, arm in report["arms"].items()}
        vectors = defaultdict(list)
        for each in stored:
            for act in each.episode.acts:
                if act.plan is not None and act.plan.action is not None:
                    vectors[arm_of[each.episode.cast[act.seat]]].append(act.plan)
    assert set(vectors) == set(ARMS) - {"base", "prompted"}
    for plan in vectors["blind"]:
        assert plan.action is not None
        same_turn = states[:, -1].numpy() == plan.state[-1]
        turns.add(float(plan.state[-1]))
        assert np.abs(chosen[same_turn] - plan.action).max(1).min() < 1e-5
    assert len(turns) == 2
    by_turn = defaultdict(set)  # the clock has one action for each turn
    for plan in vectors["clock"]:
        assert plan.action is not None
        by_turn[float(plan.state[-1])].add(tuple(np.round(plan.action, 4)))
    assert [len(actions) for actions in by_turn.values()] == [1, 1]
    assert all(skipped(call()[0]).values())


def test_the_best_sentence_is_told_on_the_test(folder: Path) -> None:
    text = LOOP.replace(", ".join(ARMS), "base, prompted")
    (folder / "loop.yaml").write_text(text)
    (found,) = call()
    labels = {stage["stage"].rsplit("-", 1)[0]: stage["stage"] for stage in found["stages"]}
    episodes = {stage["stage"]: stage["episodes"] for stage in found["stages"]}
    assert episodes[labels["prompted"]] == 8  # four scenarios, two sentences, the first seat
    told = found["report"]["prompted"]
    earned = defaultdict(list)
    with open_store("x.db") as store:
        for each in store.episodes(run=f"tiny-{labels['prompted']}"):
            said = store.agent(each.episode.cast["seller"]).spec["prompt"].get("addition", "")
            lines = [act.action.text for act in each.episode.acts if act.seat == "seller"]
            earned[said].append(np.mean([any("a" <= c <= "z" for c in line) for line in lines]))
        (last,) = {
            store.agent(each.episode.cast["seller"]).spec["prompt"].get("addition", "")
            for each in store.episodes(run=f"tiny-{labels['evaluate']}")
        } - {""}
    assert set(earned) == set(SENTENCES)
    means = {sentence: float(np.mean(values)) for sentence, values in earned.items()}
    assert {one["sentence"]: one["mean"] for one in told["sentences"]} == pytest.approx(means)
    assert [one["n"] for one in told["sentences"]] == [4, 4]
    assert told["measure"] == "lexical"
    assert told["sentence"] == last == max(SENTENCES, key=lambda sentence: means[sentence])
    assert set(found["report"]["arms"]) == {"base", "prompted"}
    assert all(skipped(call()[0]).values())
    assert run().exit_code == 0  # the table needs no planner

    # other sentences are played and compared again, and nothing else
    (folder / "loop.yaml").write_text(text.replace("shouts", "whispers"))
    (changed,) = call()
    assert [name for name, before in skipped(changed).items() if not before] == [
        "prompted",
        "evaluate",
    ]


def test_the_screen_says_what_each_sentence_earned(folder: Path) -> None:
    text = LOOP.replace(", ".join(ARMS), "base, prompted, planner")
    (folder / "loop.yaml").write_text(
        text.replace("reward: {measure: lexical, pattern: '[a-z]'}\n", RULES)
    )
    (found,) = call()
    told = found["report"]["prompted"]
    assert [stage["stage"].rsplit("-", 1)[0] for stage in found["stages"]].count("standards") == 1
    text = " ".join(run().stdout.split())
    assert f"prompted: '{told['sentence']}', by its mean rules in training:" in text
    for one in told["sentences"]:
        assert f"{one['mean']:+.3f} (n 4) {one['sentence']}" in text


def test_a_judge_chooses_the_sentence_where_it_rewards(folder: Path, model: Path) -> None:
    judged_loop(folder, model, "uniform")
    text = (
        (folder / "loop.yaml")
        .read_text()
        .replace(
            "arms: [base, planner]",
            f"arms: [base, prompted], prompted: {{sentences: {list(SENTENCES)}}}",
        )
    )
    (folder / "loop.yaml").write_text(text)
    (found,) = call()
    told = found["report"]["prompted"]
    assert told["measure"] == "overall"
    means = {one["sentence"]: one["mean"] for one in told["sentences"]}
    assert told["sentence"] == max(SENTENCES, key=lambda sentence: means[sentence])
    assert all(0 <= mean <= 1 for mean in means.values())
    assert all(skipped(call()[0]).values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (evaluated(arms=["base", "blind"]), "evaluate.arms: blind: what a planner is compared"),
        (evaluated(arms=["ridge", "clock", "base"]), "evaluate.arms: ridge, clock: what a"),
        (
            evaluated(arms=["gamma0", "planner"]).replace("alpha: 2", "gamma: 0"),
            "'gamma0' is the planner with γ 0, and the learner 'td3bc' of this file plans with no",
        ),
        (
            evaluated(arms=["gamma0", "planner"])
            .replace("train: {", "train: {learner: ridge, ")
            .replace(", td3bc: {alpha: 2}", ""),
            "the learner 'ridge' of this file plans with no other",
        ),
        (evaluated(arms=["base", "prompted"]), "'prompted' needs sentences to choose from"),
        (evaluated(prompted={"sentences": ["Be kind."]}), "no arm is told these sentences"),
        (
            evaluated(arms=["base", "prompted"], prompted={"sentences": ["Go.", " Go."]}),
            "two sentences are the same",
        ),
        (
            evaluated(arms=["base", "prompted"], prompted={"sentences": ["Tell {{secret}}."]}),
            "no slot but {{name}}, found {{secret}}",
        ),
        (
            evaluated(arms=["base", "prompted"], prompted={"sentences": ["One.\nTwo."]}),
            "a sentence is one line of 1 to 300 characters",
        ),
        (evaluated(arms=["base", "prompted"], prompted={"sentences": list("abcdef")}), "5"),
    ],
)
def test_arms_that_make_no_sense_are_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read(text)
    (problem,) = refused.value.problems
    assert message in str(problem)
    assert "\n" not in str(problem)


def test_the_default_arms_are_what_they_were() -> None:
    assert read(FILE).arms == ("base", "clone", "random", "constant", "planner")
    ways = FILE.replace("reward:", "collect: {explore: {kind: ways}}\nlatent: {size: 3}\nreward:")
    assert read(ways).arms == ("base", "clone", "random", "explorer", "constant", "planner")
    assert read(LOOP).steered_arms == tuple(a for a in ARMS if a not in ("base", "prompted"))
