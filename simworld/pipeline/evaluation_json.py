"""An evaluation as plain JSON data, for programs and for files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from simworld.pipeline.evaluation_result import Evaluation
from simworld.pipeline.requirements import RequirementOutcome
from simworld.stats.paired_comparison import Paired


def plain(evaluation: Evaluation, outcomes: Sequence[RequirementOutcome] = ()) -> dict[str, Any]:
    """Everything an evaluation found. What could not be computed is null; `notes` say why."""
    return {
        "run": evaluation.run,
        "main": evaluation.main,
        "judges": list(evaluation.judge_ids),
        "arms": {
            name: {
                "agent": evaluation.agents[name],
                "planned": arm.planned,
                "missing": arm.missing,
                "failed": arm.failed,
                "failed_share": arm.failed_share,
                "unscored": arm.unscored,
                "unscored_share": arm.unscored_share,
                "levels": {
                    measure: asdict(level) for measure, level in evaluation.levels[name].items()
                },
                "quality": asdict(evaluation.quality[name]),
            }
            for name, arm in evaluation.arms.items()
        },
        "comparisons": [
            {
                "first": comparison.first,
                "second": comparison.second,
                "measures": {
                    measure: _paired(paired) for measure, paired in comparison.by_measure.items()
                },
            }
            for comparison in evaluation.comparisons
        ],
        "requirements": [
            {"text": outcome.requirement.text, "holds": outcome.holds, "reason": outcome.reason}
            for outcome in outcomes
        ],
    }


def _paired(paired: Paired | None) -> dict[str, Any] | None:
    return None if paired is None else {**asdict(paired), "notes": list(paired.notes)}
