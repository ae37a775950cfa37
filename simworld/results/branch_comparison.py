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
    rows: list[BranchDifference] = []

    def add(what: str, of: str, first: BranchValue, second: BranchValue) -> None:
        rows.append(BranchDifference(what=what, of=of, parent=first, branch=second))

    for own, other in zip(parent.summary.seats, branch.summary.seats, strict=True):
        add("agent", own.seat, own.agent_name, other.agent_name)
    add("ending", "", _ending(parent), _ending(branch))
    add("turns", "", float(len(parent.episode.turns)), float(len(branch.episode.turns)))
    for check, again in zip(parent.episode.checks, branch.episode.checks, strict=True):
        add(f"check {check.name}", "holds", _holds(check), _holds(again))
        if check.value is not None or again.value is not None:
            add(f"check {check.name}", "found", check.value, again.value)
    before = _averages(judgements.get(parent.id, ()))
    after = _averages(judgements.get(branch.id, ()))
    for judge, dimension, seat in dict.fromkeys([*before, *after]):
        key = (judge, dimension, seat)
        add(dimension, f"{seat}, {judge}", before.get(key), after.get(key))
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
