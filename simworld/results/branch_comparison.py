"""An episode beside the one it branched from: who played, how both ended, what checks and judges
made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simworld.core.episode import CheckResult
from simworld.results.episode_scores import average_judgements
from store import StoredEpisode, StoredJudgement

BranchValue = str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchDifference:
    """One thing in which two episodes are compared; None where it is not known."""

    what: str  # "agent", "turns", a check's or a dimension's name, …
    of: str  # the seat and, for scores, the judge
    parent: BranchValue
    branch: BranchValue

    @property
    def difference(self) -> float | None:
        """The branch less its parent, where both are numbers."""
        if (
            isinstance(self.parent, str)
            or isinstance(self.branch, str)
            or self.parent is None
            or self.branch is None
        ):
            return None
        return self.branch - self.parent


def compare_branch(
    parent: StoredEpisode,
    branch: StoredEpisode,
    judgements: Mapping[str, Sequence[StoredJudgement]],
) -> list[BranchDifference]:
    """Both episodes, row by row. `judgements`: episode id → its judgements; a judge's samples are
    averaged, judges never.
    """
    rows = [
        BranchDifference(
            what="agent", of=before.seat, parent=before.agent_name, branch=after.agent_name
        )
        for before, after in zip(parent.summary.seats, branch.summary.seats, strict=True)
    ]
    rows.append(
        BranchDifference(what="ending", of="", parent=_ending(parent), branch=_ending(branch))
    )
    turns = (float(len(parent.episode.turns)), float(len(branch.episode.turns)))
    rows.append(BranchDifference(what="turns", of="", parent=turns[0], branch=turns[1]))
    for first, second in zip(parent.episode.checks, branch.episode.checks, strict=True):
        rows.append(
            BranchDifference(
                what=f"check {first.name}", of="holds", parent=_holds(first), branch=_holds(second)
            )
        )
        if first.value is not None or second.value is not None:
            rows.append(
                BranchDifference(
                    what=f"check {first.name}", of="found", parent=first.value, branch=second.value
                )
            )
    before = _averages(judgements.get(parent.id, ()))
    after = _averages(judgements.get(branch.id, ()))
    for judge, dimension, seat in dict.fromkeys([*before, *after]):
        key = (judge, dimension, seat)
        rows.append(
            BranchDifference(
                what=dimension, of=f"{seat}, {judge}", parent=before.get(key), branch=after.get(key)
            )
        )
    return rows


def _ending(stored: StoredEpisode) -> str:
    ending, reason = stored.summary.ending.value, stored.summary.reason
    return ending if reason == ending else f"{ending} ({reason})"


def _holds(check: CheckResult) -> str | None:
    return None if check.holds is None else "yes" if check.holds else "no"


def _averages(judgements: Sequence[StoredJudgement]) -> dict[tuple[str, str, str], float]:
    """(judge id, dimension, seat) → its score, in the order of the verdicts."""
    averaged = average_judgements(judgements, {})
    return {
        (judgement.judge_id, verdict.dimension, verdict.seat): averaged[
            judgement.judge_id, verdict.seat
        ].dimensions[verdict.dimension]
        for judgement in (stored.judgement for stored in judgements)
        for verdict in judgement.verdicts
    }
