"""Warnings about a judge's scores: never measured, no better than chance, or all alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from scenarios.rubrics import DEFAULT_RUBRIC
from simworld.judging.judge_check import JudgeCheckResult
from simworld.judging.judge_spec import builtin_judges
from store import JudgeRecord, Store

LAST_CHECK = "measured"  # in a judge's record: what its last check came to
MAX_EPISODES = 500  # whose scores are looked at, the latest
MIN_SCORES = 10  # scores, with fewer nothing is said
END_MARGIN = 0.05  # of the range, that counts as its end
CHANCE_ACCURACY = 0.5


def check_summary(result: JudgeCheckResult, pairs: str) -> dict[str, Any]:
    """What a check came to, as it is kept with the judge; `pairs` says which ones were used."""
    overall = result.overall
    return {
        "pairs": pairs,
        "n": overall.n,
        "accuracy": overall.accuracy,
        "low": overall.low,
        "high": overall.high,
    }


def judge_warnings(
    store: Store, judge_ids: Sequence[str], *, run: str | None = None
) -> tuple[str, ...]:
    """A line for each thing that a reader of these judges' scores must know; people are not
    measured.

    A judge was never measured, or orders pairs no better than guessing would; or at least half of
    the scores of a dimension lie within a twentieth of the range from one of its ends.

    Args:
        store: where the scores are.
        judge_ids: of one judge, one for each rubric; or of several.
        run: only its episodes, the latest of them; default: of every run.
    """
    records = [record for record in store.judges() if record.id in judge_ids]
    warnings = [warning for record in records if (warning := _accuracy_warning(record))]
    for name, name_records in groupby(records, key=lambda record: record.name):
        if at_ends := _dimensions_at_ends(store, [record.id for record in name_records], run):
            problem = (
                "half or more of its scores lie at an end of their range, where nobody can be told"
                " apart"
            )
            warnings.append(f"judge {name}: {problem}: {', '.join(at_ends)}")
    return tuple(dict.fromkeys(warnings))


def scoring_ids(store: Store, judge_ids: Sequence[str], run: str | None) -> list[str]:
    """Those of a judge's ids, one for each rubric, that have scored an episode; of the others'
    scores there are none to warn of.
    """
    return [id_ for id_ in judge_ids if any(store.score_rows(judge_id=id_, run=run))]


def _accuracy_warning(record: JudgeRecord) -> str:
    spec = record.spec.get("spec", {})
    # a person, or the same judge with people listed otherwise
    if "method" not in spec or "swap" in spec:
        return ""
    last_check: Mapping[str, Any] | None = record.spec.get(LAST_CHECK)
    if not last_check or last_check["accuracy"] is None:
        argument = record.name if record.name in builtin_judges() else "FILE"
        # the shipped pairs are about the default rubric
        if record.spec.get("rubric", {}).get("name", DEFAULT_RUBRIC) != DEFAULT_RUBRIC:
            argument += " --pairs FILE --rubric FILE"
        return (
            f"judge {record.name} was never measured: `simworld judge check --judge {argument}`"
            " says how far to trust it"
        )
    if last_check["low"] > CHANCE_ACCURACY:
        return ""
    interval = f"95 %: {last_check['low']:.0%} to {last_check['high']:.0%}"
    accuracy_text = (
        f"ordered {last_check['accuracy']:.0%} of {last_check['n']} pairs rightly ({interval})"
    )
    return (
        f"judge {record.name} {accuracy_text}, which is no better than guessing; see"
        " `simworld judge check`"
    )


def _dimensions_at_ends(store: Store, ids: Sequence[str], run: str | None) -> list[str]:
    """Dimensions whose scores lie at one end, with how many of how many."""
    shares: dict[str, list[float]] = {}
    latest_ids = [summary.id for summary in store.episode_summaries(run=run, limit=MAX_EPISODES)]
    for stored in (
        one
        for each in store.judgements_by_episode(latest_ids, judge_ids=ids).values()
        for one in each
    ):
        for verdict in stored.judgement.verdicts:
            if verdict.raw.get("asked") != 0:  # else there was nothing to judge
                shares.setdefault(verdict.dimension, []).append(
                    stored.rescaled[verdict.seat, verdict.dimension]
                )
    dimensions_at_ends = []
    for dimension, dimension_shares in shares.items():
        n = len(dimension_shares)
        counts = {
            "top": sum(share >= 1 - END_MARGIN for share in dimension_shares),
            "bottom": sum(share <= END_MARGIN for share in dimension_shares),
        }
        dimensions_at_ends += [
            f"{dimension} ({count} of {n} at the {end})"
            for end, count in counts.items()
            if n >= MIN_SCORES and 2 * count >= n
        ]
    return dimensions_at_ends
