"""What a reader of scores must know of their judge: whether it was ever measured, and whether its
scores differ at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from simworld.judging.judge_spec import builtin_judges
from simworld.judging.pair_accuracy import Trust
from store import JudgeRecord, Store

MEASURED = "measured"  # in a judge's record: what its last check came to
EPISODES = 500  # whose scores are looked at, the latest
FEWEST = 10  # scores, with fewer nothing is said
END = 0.05  # of the range, that counts as its end
GUESSING = 0.5


def measured(trust: Trust, pairs: str) -> dict[str, Any]:
    """What a check came to, as it is kept with the judge; `pairs` says which ones were used."""
    overall = trust.overall
    return {
        "pairs": pairs,
        "n": overall.n,
        "accuracy": overall.accuracy,
        "low": overall.low,
        "high": overall.high,
    }


def cautions(store: Store, judge_ids: Sequence[str], *, run: str | None = None) -> tuple[str, ...]:
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
    lines = [line for record in records if (line := _trust(record))]
    for name, same in groupby(records, key=lambda record: record.name):
        found = _at_the_ends(store, [record.id for record in same], run)
        if found:
            where = (
                "half or more of its scores lie at an end of their range, where nobody can be told"
                " apart"
            )
            lines.append(f"judge {name}: {where}: {', '.join(found)}")
    return tuple(dict.fromkeys(lines))


def _trust(record: JudgeRecord) -> str:
    spec = record.spec.get("spec", {})
    # a person, or the same judge with people listed otherwise
    if "method" not in spec or "swap" in spec:
        return ""
    found: Mapping[str, Any] | None = record.spec.get(MEASURED)
    if not found or found["accuracy"] is None:
        given = record.name if record.name in builtin_judges() else "FILE"
        return (
            f"judge {record.name} was never measured: `simworld judge check --judge {given}` says"
            " how far to trust it"
        )
    if found["low"] > GUESSING:
        return ""
    interval = f"95 %: {found['low']:.0%} to {found['high']:.0%}"
    told = f"ordered {found['accuracy']:.0%} of {found['n']} pairs rightly ({interval})"
    return (
        f"judge {record.name} {told}, which is no better than guessing; see `simworld judge check`"
    )


def _at_the_ends(store: Store, ids: Sequence[str], run: str | None) -> list[str]:
    """Dimensions whose scores lie at one end, with how many of how many."""
    shares: dict[str, list[float]] = {}
    latest = [summary.id for summary in store.episode_summaries(run=run, limit=EPISODES)]
    for stored in (
        one for made in store.judgements_by_episode(latest, judge_ids=ids).values() for one in made
    ):
        for verdict in stored.judgement.verdicts:
            if verdict.raw.get("asked") != 0:  # else there was nothing to judge
                shares.setdefault(verdict.dimension, []).append(
                    stored.rescaled[verdict.seat, verdict.dimension]
                )
    found = []
    for dimension, of_dimension in shares.items():
        n = len(of_dimension)
        ends = {
            "top": sum(share >= 1 - END for share in of_dimension),
            "bottom": sum(share <= END for share in of_dimension),
        }
        found += [
            f"{dimension} ({count} of {n} at the {end})"
            for end, count in ends.items()
            if n >= FEWEST and 2 * count >= n
        ]
    return found
