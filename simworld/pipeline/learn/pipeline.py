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
    checkpoint_content,
    dataset_content,
    file_content,
    judged_content,
    run_content,
)
from simworld.pipeline.learn.stage_cache import Fingerprint, Stage, StageFunction, StageState
from simworld.yamlfile.fields import Seats


def declared_stages(context: PipelineContext) -> list[Stage]:
    """The stages that a learn file asks for, each after its inputs: name, inputs, settings, the
    function that runs it, and the fingerprint by which its output is recognised.

    A stage's settings and inputs are all that its result depends on.
    """
    file, collect = context.file, context.file.collect
    declared: list[Stage] = []

    def stage(
        name: str,
        inputs: tuple[Stage, ...],
        settings: Mapping[str, Any],
        work: StageFunction,
        fingerprint: Fingerprint,
        episodes: int = 0,
    ) -> Stage:
        declared.append(Stage(name, inputs, settings, work, fingerprint, episodes))
        return declared[-1]

    start = upmap = stage(
        "upmap", (), _of_upmap(context), checkpoint_stages.make_upmap, checkpoint_content
    )
    if file.clone is not None:
        replies = stage(
            "replies",
            (),
            _of_replies(context),
            episode_stages.play_replies,
            run_content,
            episodes=len(context.train) * file.replies,
        )
        start = stage(
            "clone",
            (upmap, replies),
            {**_plain(file.clone), "seed": file.seed},
            partial(checkpoint_stages.make_clone, settings=file.clone),
            checkpoint_content,
        )
        if file.latent is not None:
            start = stage(
                "latent",
                (start, replies),
                {**_plain(file.latent), "seed": file.seed},
                partial(checkpoint_stages.make_latent, settings=file.latent),
                checkpoint_content,
            )

    before = start
    for rounds_left in reversed(range(file.rounds)):
        played = stage(
            "collect",
            (before,),
            _of_collect(context),
            episode_stages.collect,
            run_content,
            episodes=_episodes_to_collect(context),
        )
        if context.reward_judge is not None:
            played = stage(
                "judge",
                (played,),
                {"judge": context.reward_judge.content(), "place": file.reward.placement},
                partial(episode_stages.judge, spec=context.reward_judge),
                judged_content,
            )
        dataset = stage(
            "dataset",
            (played,),
            _plain(file.reward),
            checkpoint_stages.make_dataset,
            dataset_content,
        )
        if rounds_left and collect.explore.kind == "ways":
            before = stage(
                "ways",
                (dataset, before),
                {"keep": collect.keep, "share": collect.share},
                checkpoint_stages.keep_ways,
                checkpoint_content,
            )
        else:
            planner = stage(
                "train",
                (dataset, before),
                _plain(file.train),
                checkpoint_stages.train,
                checkpoint_content,
            )
            before = planner if rounds_left else before

    arms = {"planner": planner, "explorer": before, "random": start, "clone": start}
    if "constant" in file.arms:
        arms["constant"] = stage(
            "constant", (dataset, before), {}, checkpoint_stages.choose_constant, checkpoint_content
        )
    stage(
        "evaluate",
        tuple(arms[arm] for arm in file.steered),
        _of_evaluate(context),
        episode_stages.compare,
        file_content,
        episodes=_seatings(context.test, file.evaluate.seats)
        * len(context.opponents)
        * file.evaluate.repeats
        * len(file.arms),
    )
    return declared


def _of_upmap(context: PipelineContext) -> dict[str, Any]:
    settings, model = context.file.upmap, context.model
    # Left out where it is empty, so that up-mappings made before it came to be keep their keys.
    left_out = set() if settings.text_encoder else {"text_encoder"}
    return {**_plain(settings, left_out), "model": model.model, "dtype": model.dtype}


def _of_replies(context: PipelineContext) -> dict[str, Any]:
    return {
        "agents": context.contents({context.model.name: context.agent}),
        "scenarios": [scenario.id for scenario in context.train],
        "repeats": context.file.replies,
        "seed": context.file.seed,
        "name": context.file.name,
    }


def _of_collect(context: PipelineContext) -> dict[str, Any]:
    return {
        "agents": context.contents({"": context.agent, **context.partners}),
        "scenarios": [scenario.id for scenario in context.train],
        **_plain(context.file.collect, {"keep", "share"}),
        "seed": context.file.seed,
        "name": context.file.name,
    }


def _of_evaluate(context: PipelineContext) -> dict[str, Any]:
    file = context.file
    return {
        **_plain(file.evaluate),
        "arms": list(file.arms),
        "agents": context.contents({"": context.agent, **context.opponents}),
        "scenarios": [scenario.id for scenario in context.test],
        "judge": context.test_judge.content() if context.test_judge else None,
        "reward": _plain(file.reward),
        "explorer": _plain(file.collect.explore),
        "seed": file.seed,
        "name": file.name,
    }


def _plain(settings: BaseModel, left_out: set[str] | None = None) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=left_out)


def _episodes_to_collect(context: PipelineContext) -> int:
    collect = context.file.collect
    if collect.self_play:
        return len(context.train) * collect.repeats
    return _seatings(context.train, collect.seats) * len(context.partners) * collect.repeats


def _seatings(scenarios: Sequence[Scenario], seats: Seats) -> int:
    """How many seats an arm takes in turn."""
    return sum(len(each.seats) if seats == "both" else 1 for each in scenarios)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnResult:
    """What a loop came to."""

    values: Mapping[str, Any]  # that tell it from the others of a grid
    stages: tuple[StageState, ...]
    planner: Path | None  # the checkpoint's folder; None in a dry run that finds it not made yet
    report: Mapping[str, Any] | None  # of the evaluation


def learn_result(states: tuple[StageState, ...], values: Mapping[str, Any]) -> LearnResult:
    """What the declared stages came to, done or not."""
    last = {state.name: state for state in states}
    train, evaluate = last["train"], last["evaluate"]
    return LearnResult(
        values=values,
        stages=states,
        planner=None if train.made is None else train.path,
        report=None if evaluate.made is None else json.loads(evaluate.path.read_text("utf-8")),
    )
