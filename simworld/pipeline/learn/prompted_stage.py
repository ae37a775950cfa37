"""Which of some instructions makes the agent earn most without steering: each is played on the
training scenarios, and the best one is an arm of the evaluation.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from simworld.core.errors import InputError
from simworld.pipeline.arms_plan import EvaluationMeasures
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.episode_stages import evaluate_plan
from simworld.pipeline.learn.stage_cache import StageOutput, StageState

NOT_SCORED = {"mean": None, "n": 0}


def choose_sentence(context: PipelineContext, label: str, *standards: StageState) -> StageOutput:
    """The sentence with the highest mean reward, and the mean of each, as a JSON file. The reward
    is the file's own, by the standards of its rules; a judged one is the judge's `overall`.
    """
    settings = context.file.evaluate
    assert settings.prompted is not None
    arms = {f"prompted-{n}": text for n, text in enumerate(settings.prompted.sentences, 1)}
    plan = context.arms_plan(
        label,
        {arm: context.prompted_agent(arm, sentence) for arm, sentence in arms.items()},
        scenarios=context.train_scenarios,
        partners=context.opponents,
        seats=settings.seats,
        repeats=settings.prompted.repeats,
    )
    reward = context.reward(standards)
    measures = EvaluationMeasures(
        judge=context.reward_judge, reward=None if reward.measure == "judged" else reward
    )
    evaluation = evaluate_plan(context, plan, measures, replies_read=0)
    found = {arm: evaluation.levels[arm].get(evaluation.main) for arm in arms}
    levels = {arm: level for arm, level in found.items() if level is not None}
    if not levels:
        raise InputError(
            f"evaluate.prompted: no episode of run {plan.run} could be scored, so no sentence is"
            " best"
        )
    content = {
        "sentence": arms[max(levels, key=lambda arm: levels[arm].mean)],
        "measure": evaluation.main,
        "sentences": [
            {"sentence": sentence, **(asdict(levels[arm]) if arm in levels else NOT_SCORED)}
            for arm, sentence in arms.items()
        ],
    }
    path = f"{label}.json"
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (context.folder / path).write_text(text + "\n", "utf-8")
    return StageOutput(path=path, failed=evaluation.failed)
