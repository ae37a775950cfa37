"""A loop whose reward is rules, learned by regression; on a tiny random model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.steering.checkpoint import load_checkpoint
from simworld.core.episode import Episode
from simworld.core.errors import InputError
from simworld.pipeline.learn.grid import grid_points
from simworld.training.data.dataset_folder import load_meta, load_transitions
from simworld.yamlfile.document import load_text
from store import open_store
from tests.factories.pipelines import FILE, STAGES, call, run, skipped

RULES = """\
reward:
  rules:
    - {measure: lexical, pattern: '[a-z]', when: {turns: first_half}}
    - {measure: lexical, pattern: '[A-Z]', weight: -2}
"""
LOOP = (
    FILE.replace("reward: {measure: lexical, pattern: '[a-z]'}\n", RULES)
    .replace("train: {", "train: {learner: ridge, ")
    .replace(", td3bc: {alpha: 2}", "")
)


def expected(episode: Episode, seat: str, rules: list[dict[str, Any]]) -> list[float]:
    """What the two rules pay for each act of a seat, worked out by itself."""
    paid = []
    for turn in episode.turns:
        for act in turn.acts:
            if act.seat == seat:
                small, large = (bool(re.search(p, act.action.text)) for p in ("[a-z]", "[A-Z]"))
                first = (small - rules[0]["mean"]) / rules[0]["deviation"] if turn.index < 2 else 0
                paid.append(first - 2 * (large - rules[1]["mean"]) / rules[1]["deviation"])
    return paid


def test_rules_are_measured_learned_from_and_evaluated(folder: Path) -> None:
    (folder / "loop.yaml").write_text(LOOP)
    (first,) = call()
    labels = {stage["stage"].rsplit("-", 1)[0]: stage["stage"] for stage in first["stages"]}
    assert list(labels) == [*STAGES[:2], "standards", *STAGES[2:]]
    work = folder / "learn-tiny"
    standards = json.loads((work / f"{labels['standards']}.json").read_text())
    rules = standards["rules"]
    assert all(0 < rule["deviation"] <= 0.5 for rule in rules)

    # each act of the dataset is worth what the rules say, in the standards of unsteered replies
    (dataset,) = (work / "datasets").glob("*/meta.json")
    meta, data = load_meta(dataset.parent), load_transitions(dataset.parent)
    assert meta.query.reward.model_dump(mode="json")["rules"] == rules
    with open_store("x.db") as store:
        for index, name in enumerate(data.episode_names):
            episode, seat = name.split("/")
            paid = expected(store.episode(episode).episode, seat, rules)
            mean = meta.family_means[data.family_names[data.episode_families[index]]]
            rows = data.episode_index == index
            # the acts' parts sum to their mean, less the family's
            assert data.rewards[rows].sum() == pytest.approx(np.mean(paid) - mean, abs=1e-5)

        # and so is the evaluation, in total and rule by rule
        report = first["report"]
        assert report["main"] == "rules"
        runs = {each.run.name for each in store.run_summaries() if "evaluate" in each.run.name}
        (name,) = runs
        values = [
            np.mean(expected(stored.episode, seat, rules))
            for stored in store.episodes(run=name)
            for seat, agent in stored.episode.cast.items()
            if agent == report["arms"]["planner"]["agent"]
        ]
        levels = report["arms"]["planner"]["levels"]
        assert levels["rules"]["mean"] == pytest.approx(np.mean(values))
        parts = levels["rule 1"]["mean"] + levels["rule 2"]["mean"]
        assert parts == pytest.approx(levels["rules"]["mean"])

    planner = load_checkpoint(folder / first["planner"])
    assert planner.info.actor is not None
    assert planner.info.actor.hidden == ()
    assert planner.info.actor.radius is not None
    assert set(planner.info.metrics) == {"r2", "r2_without_product"}
    assert all(skipped(call()[0]).values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'[a-z]'", "'zzzzzzzz'", "reward.rules.0: it measures 0 on all"),
        (
            "when: {turns: first_half}",
            "when: {kind: [teaching]}",
            "reward.rules.0: no training scenario is of kind teaching, so the rule never applies;"
            " they are of no kind",
        ),
        (
            "when: {turns: first_half}",
            # at its first words a seat has said nothing before
            "when: {turns: first_half, after_own: asks}, mean: 0.5, deviation: 1",
            "reward.rules.0: the rule counts in 0 of 16 unsteered acts, so it rewards nothing",
        ),
        ("weight: -2", "of: partner", "expected self or partner_next, found the text 'partner'"),
        ("weight: -2", "mean: 0.5", "mean and deviation go together"),
        (
            "evaluate:",
            "collect: {self_play: true}\nevaluate:",
            "needs partners who do not explore",
        ),
    ],
)
def test_rules_that_cannot_be_learned_from_are_refused(
    folder: Path, old: str, new: str, message: str
) -> None:
    text = LOOP.replace(old, new)
    if "self_play" in new:
        text = text.replace("weight: -2", "of: partner_next")
    (folder / "loop.yaml").write_text(text)
    refused = run()
    assert isinstance(refused.exception, InputError)
    assert message in str(refused.exception)


def test_a_list_of_lists_of_rules_is_a_grid() -> None:
    small, large = "{measure: lexical, pattern: '[a-z]'}", "{measure: lexical, pattern: '[A-Z]'}"
    text = FILE.replace(
        "{measure: lexical, pattern: '[a-z]'}", f"{{rules: [[{small}], [{small}, {large}]]}}"
    )
    first, second = (point.file.reward for point in grid_points(load_text(text, "g.yaml")))
    assert [rule.pattern for rule in first.rules] == ["[a-z]"]
    assert [rule.pattern for rule in second.rules] == ["[a-z]", "[A-Z]"]
    # a reward of one measure is written, and hashed, as it was before there were rules
    (one,) = grid_points(load_text(FILE, "f.yaml"))
    assert "rules" not in one.file.reward.model_dump(mode="json")


def test_the_partners_next_words_need_two_seats(folder: Path) -> None:
    three = (
        (folder / "hat.yaml")
        .read_text()
        .replace("limits:", "  - {name: judge, persona: {name: Cy Fox}, goal: Watch.}\nlimits:")
    )
    (folder / "hat.yaml").write_text(three)
    (folder / "loop.yaml").write_text(LOOP.replace("weight: -2", "of: partner_next"))
    refused = str(run().exception)
    assert refused == ("reward.rules: of 'partner_next' needs scenarios of two seats; 'hat' has 3")
    (folder / "hat.yaml").write_text(
        three.replace("  - {name: judge, persona: {name: Cy Fox}, goal: Watch.}\n", "")
    )
    assert run("--dry-run").exit_code == 0
