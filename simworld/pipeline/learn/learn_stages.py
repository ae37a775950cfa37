"""One loop: its stages as a list, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from simworld.core.scenario import Scenario
from simworld.pipeline.learn import checkpoint_stages, episode_stages
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.fingerprints import (
    checkpoint_fingerprint,
    dataset_fingerprint,
    file_fingerprint,
    run_fingerprint,
    scores_fingerprint,
)
from simworld.pipeline.learn.prompted_stage import choose_sentence
from simworld.pipeline.learn.stage_cache import Fingerprint, Stage, StageFunction, StageState
from simworld.yamlfile.fields import SeatChoice


def declare_stages(context: PipelineContext) -> list[Stage]:
    """The stages that a learn file asks for, each after its inputs: name, inputs, settings, the
    function that runs it, and the fingerprint by which its output is recognised.

    A stage's settings and inputs are all that its result depends on.
    """
    file, collect = context.file, context.file.collect
    declared: list[Stage] = []

    def declare(
        name: str,
        inputs: tuple[Stage, ...],
        settings: Mapping[str, Any],
        work: StageFunction,
        fingerprint: Fingerprint,
        episodes: int = 0,
    ) -> Stage:
        declared.append(Stage(name, inputs, settings, work, fingerprint, episodes))
        return declared[-1]

    standards: tuple[Stage, ...] = ()
    if file.start:
        start = declare(
            "start",
            (),
            {"planner": context.start.id if context.start else ""},
            checkpoint_stages.take_start,
            checkpoint_fingerprint,
        )
    else:
        start = declare(
            "upmap",
            (),
            _upmap_settings(context),
            checkpoint_stages.make_upmap,
            checkpoint_fingerprint,
        )
    clone = None if file.start else file.clone
    unstandardised = not all(rule.standardised for rule in file.reward.rules)
    if clone is not None or file.latent is not None or unstandardised:
        replies = declare(
            "replies",
            (),
            _replies_settings(context),
            episode_stages.play_unsteered,
            run_fingerprint,
            episodes=len(context.train_scenarios) * file.replies,
        )
    if unstandardised:
        standards = (
            declare(
                "standards",
                (replies,),
                _settings_json(file.reward),
                checkpoint_stages.standardise_rules,
                file_fingerprint,
            ),
        )
    if clone is not None:
        start = declare(
            "clone",
            (start, replies),
            {**_settings_json(clone), "seed": file.seed},
            partial(checkpoint_stages.make_clone, settings=clone),
            checkpoint_fingerprint,
        )
    if file.latent is not None:
        start = declare(
            "latent",
            (start, replies),
            {**_settings_json(file.latent), "seed": file.seed},
            partial(checkpoint_stages.make_latent, settings=file.latent),
            checkpoint_fingerprint,
        )

    round_start = start
    for rounds_left in reversed(range(file.rounds)):
        episodes = declare(
            "collect",
            (round_start,),
            _collect_settings(context),
            episode_stages.play_explorer,
            run_fingerprint,
            episodes=_count_collected(context),
        )
        if context.reward_judge is not None:
            episodes = declare(
                "judge",
                (episodes,),
                {"judge": context.reward_judge.content(), "place": file.reward.placement},
                partial(episode_stages.judge_run, spec=context.reward_judge),
                scores_fingerprint,
            )
        dataset = declare(
            "dataset",
            (episodes, *standards),
            _settings_json(file.reward) | ({"states": file.states} if file.states else {}),
            checkpoint_stages.make_dataset,
            dataset_fingerprint,
        )
        if rounds_left and collect.explore.kind == "ways":
            round_start = declare(
                "ways",
                (dataset, round_start),
                {"keep": collect.keep, "share": collect.share},
                checkpoint_stages.make_ways,
                checkpoint_fingerprint,
            )
        else:
            planner = declare(
                "train",
                (dataset, round_start),
                _settings_json(file.train),
                partial(checkpoint_stages.make_planner, settings=file.train),
                checkpoint_fingerprint,
            )
            round_start = planner if rounds_left else round_start

    checkpoints = {"planner": planner, "explorer": round_start, "random": start, "clone": start}
    if "constant" in file.arms:
        # of ways alone, measured act by act, a constant is chosen by what is to come
        measured = file.reward.measure != "judged" and file.reward.by_act
        ahead = file.train.plans_ahead and measured and collect.explore.kind == "ways"
        gamma = file.train.gamma if ahead else 0.0
        checkpoints["constant"] = declare(
            "constant",
            (dataset, round_start),
            {"gamma": gamma} if gamma else {},
            partial(checkpoint_stages.make_constant, gamma=gamma),
            checkpoint_fingerprint,
        )
    for arm, settings in file.control_settings.items():
        checkpoints[arm] = declare(
            arm,
            (dataset, round_start),
            _settings_json(settings),
            partial(checkpoint_stages.make_planner, settings=settings),
            checkpoint_fingerprint,
        )
    if "blind" in file.arms:
        checkpoints["blind"] = declare(
            "blind",
            (planner, dataset),
            {"seed": file.seed},
            checkpoint_stages.make_blind,
            checkpoint_fingerprint,
        )
    prompted: tuple[Stage, ...] = ()
    if file.evaluate.prompted is not None:
        prompted = (
            declare(
                "prompted",
                standards,
                _prompted_settings(context),
                choose_sentence,
                file_fingerprint,
                episodes=_count_seatings(context.train_scenarios, file.evaluate.seats)
                * len(context.opponents)
                * file.evaluate.prompted.repeats
                * len(file.evaluate.prompted.sentences),
            ),
        )
    declare(
        "evaluate",
        (*(checkpoints[arm] for arm in file.steered_arms), *standards, *prompted),
        _evaluate_settings(context),
        episode_stages.evaluate_arms,
        file_fingerprint,
        episodes=_count_seatings(context.test_scenarios, file.evaluate.seats)
        * len(context.opponents)
        * file.evaluate.repeats
        * len(file.arms),
    )
    return declared


def _upmap_settings(context: PipelineContext) -> dict[str, Any]:
    settings, model = context.file.upmap, context.model
    # Left out where it is empty, so that up-mappings made before it came to be keep their keys.
    left_out = set() if settings.text_encoder else {"text_encoder"}
    return {**_settings_json(settings, left_out), "model": model.model, "dtype": model.dtype}


def _replies_settings(context: PipelineContext) -> dict[str, Any]:
    return {
        "agents": context.agent_contents({context.model.name: context.agent}),
        "scenarios": [scenario.id for scenario in context.train_scenarios],
        "repeats": context.file.replies,
        "seed": context.file.seed,
        "name": context.file.work_name,
    }


def _collect_settings(context: PipelineContext) -> dict[str, Any]:
    return {
        "agents": context.agent_contents({"": context.agent, **context.partners}),
        "scenarios": [scenario.id for scenario in context.train_scenarios],
        **_settings_json(context.file.collect, {"keep", "share"}),
        "seed": context.file.seed,
        "name": context.file.work_name,
    }


def _evaluate_settings(context: PipelineContext) -> dict[str, Any]:
    file = context.file
    return {
        **_settings_json(file.evaluate, {"prompted"}),  # a stage before it has them
        "arms": list(file.arms),
        "agents": context.agent_contents({"": context.agent, **context.opponents}),
        "scenarios": [scenario.id for scenario in context.test_scenarios],
        "judge": context.test_judge.content() if context.test_judge else None,
        "reward": _settings_json(file.reward),
        "explorer": _settings_json(file.collect.explore),
        "seed": file.seed,
        "name": file.work_name,
    }


def _prompted_settings(context: PipelineContext) -> dict[str, Any]:
    file = context.file
    assert file.evaluate.prompted is not None
    return {
        **_settings_json(file.evaluate.prompted),
        "seats": file.evaluate.seats,
        "agents": context.agent_contents({"": context.agent, **context.opponents}),
        "scenarios": [scenario.id for scenario in context.train_scenarios],
        "judge": context.reward_judge.content() if context.reward_judge else None,
        "reward": _settings_json(file.reward),
        "seed": file.seed,
        "name": file.work_name,
    }


def _settings_json(settings: BaseModel, left_out: set[str] | None = None) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=left_out)


def _count_collected(context: PipelineContext) -> int:
    collect = context.file.collect
    if collect.self_play:
        return len(context.train_scenarios) * collect.repeats
    seatings = _count_seatings(context.train_scenarios, collect.seats)
    return seatings * len(context.partners) * collect.repeats


def _count_seatings(scenarios: Sequence[Scenario], seats: SeatChoice) -> int:
    """How many seats an arm takes in turn."""
    return sum(len(each.seats) if seats == "both" else 1 for each in scenarios)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnResult:
    """What a loop came to."""

    values: Mapping[str, Any]  # that tell it from the others of a grid
    stages: tuple[StageState, ...]
    planner: Path | None  # the checkpoint's folder; None in a dry run that finds it not made yet
    report: Mapping[str, Any] | None  # of the evaluation


def read_result(states: tuple[StageState, ...], values: Mapping[str, Any]) -> LearnResult:
    """What the declared stages came to, done or not."""
    last_by_name = {state.name: state for state in states}
    train, evaluate = last_by_name["train"], last_by_name["evaluate"]
    return LearnResult(
        values=values,
        stages=states,
        planner=None if train.output is None else train.path,
        report=None if evaluate.output is None else json.loads(evaluate.path.read_text("utf-8")),
    )
