"""Checks a judge: how often it scores the better of two contrasting transcripts higher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from simworld.core.errors import Failure, InputError
from simworld.core.judgement import Rubric
from simworld.core.protocols import Backend, JudgementGenerator
from simworld.core.stopping import StopTracker
from simworld.driver import drive_on_backend
from simworld.judging.contrast_pairs import (
    ContrastPair,
    PairEpisodes,
    PairSet,
    check_pair_dimensions,
)
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.stats.intervals import wilson_interval

TIE_TOLERANCE = 1e-9  # scores closer than this are a tie

PairSide = Literal["better", "worse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """What a judge made of one pair: both scores, or the failure that left it unordered."""

    pair: ContrastPair
    set_name: str
    better: float | None
    worse: float | None
    failure: Failure | None = None

    @property
    def points(self) -> float | None:
        """1 if ordered rightly, 0 if wrongly, 0.5 for a tie; None if it was not judged."""
        if self.better is None or self.worse is None:
            return None
        return _order_points(self.better, self.worse)

    @property
    def length_points(self) -> float:
        """What a judge earns that holds the longer transcript to be the better one."""
        return _order_points(len(self.pair.better), len(self.pair.worse))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAccuracy:
    """The share of pairs ordered rightly, ties half, with a 95 % Wilson interval, or None."""

    n: int  # pairs judged
    failed: int  # pairs not judged
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    ties: int = 0
    longer_wins: float | None = None  # the baseline's share on the same pairs

    def to_json(self) -> dict[str, Any]:
        """The share as JSON data."""
        return {
            "accuracy": self.accuracy,
            "n": self.n,
            "interval": None if self.low is None else [self.low, self.high],
            "ties": self.ties,
            "failed": self.failed,
            "longer_text_wins": self.longer_wins,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCheckResult:
    """A judge's record on contrasting pairs."""

    judge_id: str
    outcomes: tuple[PairOutcome, ...] = field(repr=False)

    @property
    def overall(self) -> PairAccuracy:
        """Over all pairs."""
        return pair_accuracy(self.outcomes)

    @property
    def by_dimension(self) -> dict[str, PairAccuracy]:
        """Per dimension, in the order of the pairs."""
        return self._group_by(lambda outcome: outcome.pair.dimension)

    @property
    def by_set(self) -> dict[str, PairAccuracy]:
        """Per set of pairs."""
        return self._group_by(lambda outcome: outcome.set_name)

    def for_set(self, name: str) -> JudgeCheckResult:
        """The record on one set of pairs."""
        return JudgeCheckResult(
            judge_id=self.judge_id, outcomes=tuple(o for o in self.outcomes if o.set_name == name)
        )

    def to_json(self) -> dict[str, Any]:
        """The record as JSON data: `accuracy`, `n`, `by_dimension`; of several sets `by_set`."""
        data = self.overall.to_json() | {
            "judge": self.judge_id,
            "by_dimension": {name: share.to_json() for name, share in self.by_dimension.items()},
        }
        if len(self.by_set) > 1:
            data["by_set"] = {name: self.for_set(name).to_json() for name in self.by_set}
        return data

    def _group_by(self, key: Callable[[PairOutcome], str]) -> dict[str, PairAccuracy]:
        groups: dict[str, list[PairOutcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(key(outcome), []).append(outcome)
        return {name: pair_accuracy(outcomes) for name, outcomes in groups.items()}


def pair_accuracy(outcomes: Sequence[PairOutcome]) -> PairAccuracy:
    """The share that was ordered rightly."""
    judged = [(points, o.length_points) for o in outcomes if (points := o.points) is not None]
    n, failed = len(judged), len(outcomes) - len(judged)
    if not n:
        return PairAccuracy(n=0, failed=failed)
    right = sum(points for points, _ in judged)
    low, high = wilson_interval(right, n)
    return PairAccuracy(
        n=n,
        failed=failed,
        accuracy=right / n,
        low=low,
        high=high,
        ties=sum(points == 0.5 for points, _ in judged),
        longer_wins=sum(length_points for _, length_points in judged) / n,
    )


def check_judge(
    spec: JudgeSpec,
    backend: Backend,
    rubric: Rubric,
    sets: Sequence[PairSet],
    *,
    on_progress: Callable[[int, int], None] | None = None,
    stopping: StopTracker | None = None,
) -> JudgeCheckResult:
    """A judge's record on pairs, each judged as two stored episodes of one scenario would be.

    Only the pair's seat and dimension are asked, unless the judge asks all in one call.

    Raises:
        InputError: a pair's dimension is not the rubric's, or the budget is too small.
        Stopped: too much failed.
    """
    stopping = stopping or StopTracker()
    stopping.begin_pass()
    check_pair_dimensions(sets, rubric)
    named_scenes = [(s.name, PairEpisodes(pair=pair)) for s in sets for pair in s.pairs]
    scores: dict[tuple[int, PairSide], float | Failure] = {}
    report_progress = on_progress or (lambda done, total: None)
    all_dimensions = spec.method == "server" and spec.one_call
    judge = make_judge(spec, backend.info, rubric)
    scenes = [scene for _, scene in named_scenes]
    pair_judgements = _pair_judgements(scenes, judge, all_dimensions=all_dimensions)
    for ended in drive_on_backend(pair_judgements, backend, stopping=stopping):
        i, side = ended.key
        scene, outcome = named_scenes[i][1], ended.outcome
        if not isinstance(outcome, Failure):
            asked = (scene.seat, scene.pair.dimension)
            scores[i, side] = next(v.score for v in outcome if (v.seat, v.dimension) == asked)
        else:
            scores[i, side] = outcome
            failed = sum(isinstance(score, Failure) for score in scores.values())
            stopping.note_failures(failed, 2 * len(scenes), "judgements")
        report_progress(len(scores), 2 * len(scenes))
    stopping.raise_if_stopped()
    if stopping.budget_exhausted:
        raise InputError(
            f"{stopping.used_tokens:,} tokens were used for {len(scores)} of {2 * len(scenes)}"
            " transcripts, and the budget has no room for the next; a check that is not whole is"
            " not kept, so give it a larger budget"
        )
    return JudgeCheckResult(
        judge_id=judge.id,
        outcomes=tuple(
            _pair_outcome(i, name, scene.pair, scores)
            for i, (name, scene) in enumerate(named_scenes)
        ),
    )


def _pair_judgements(
    scenes: Sequence[PairEpisodes], judge: Judge, *, all_dimensions: bool
) -> Iterator[tuple[tuple[int, PairSide], JudgementGenerator]]:
    for i, scene in enumerate(scenes):
        asked_judge = judge
        if not all_dimensions:
            dimension = next(d for d in judge.rubric.dimensions if d.name == scene.pair.dimension)
            rubric = Rubric(name=judge.rubric.name, dimensions=(dimension,))
            asked_judge = replace(judge, rubric=rubric)
        texts: dict[PairSide, str] = {"better": scene.pair.better, "worse": scene.pair.worse}
        for side, text in texts.items():
            episode, thread = scene.episode(text), f"pair/{i}/{side}"
            seats = (scene.seat,)
            yield (
                (i, side),
                asked_judge.judge_episode(scene.scenario, episode, seats=seats, thread=thread),
            )


def _pair_outcome(
    i: int, name: str, pair: ContrastPair, scores: Mapping[tuple[int, PairSide], float | Failure]
) -> PairOutcome:
    better, worse = scores[i, "better"], scores[i, "worse"]
    failure = (
        better if isinstance(better, Failure) else worse if isinstance(worse, Failure) else None
    )
    if failure is not None:
        return PairOutcome(pair=pair, set_name=name, better=None, worse=None, failure=failure)
    return PairOutcome(pair=pair, set_name=name, better=float(better), worse=float(worse))  # type: ignore[arg-type]


def _order_points(better: float, worse: float) -> float:
    if abs(better - worse) <= TIE_TOLERANCE:
        return 0.5
    return 1.0 if better > worse else 0.0
