"""How far to trust a judge: how often it puts the better of two contrasting transcripts above the
worse one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from simworld.core.errors import Failure, InputError, Problem
from simworld.core.judgement import Rubric
from simworld.core.protocols import Backend
from simworld.core.requests import ModelInfo
from simworld.core.stopping import StopRules
from simworld.driver import drive_on_backend
from simworld.judging.contrast_pairs import ContrastPair, PairEpisodes
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprob_judging import Judging
from simworld.stats.intervals import wilson
from simworld.yamlfile import Document, did_you_mean, load_text, load_yaml, parse

SHIPPED = ("dev", "test")  # dev was looked at while the built-in judge was chosen; test never was
SAME = 1e-9  # scores closer than this are a tie

PairSide = Literal["better", "worse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """Pairs that are reported together."""

    name: str
    pairs: tuple[ContrastPair, ...]
    file: str = ""  # where they were read from
    shipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOutcome:
    """What a judge made of one pair: both scores, or the failure that left it unordered."""

    pair: ContrastPair
    set: str
    better: float | None
    worse: float | None
    failure: Failure | None = None

    @property
    def credit(self) -> float | None:
        """1 if ordered rightly, 0 if wrongly, 0.5 for a tie; None if it was not judged."""
        if self.better is None or self.worse is None:
            return None
        return _credit(self.better, self.worse)

    @property
    def longer(self) -> float:
        """What a judge earns that holds the longer transcript to be the better one."""
        return _credit(len(self.pair.better), len(self.pair.worse))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAccuracy:
    """Pairs ordered rightly, ties half, with a Wilson interval at 95 %; None where nothing was
    judged.
    """

    n: int  # pairs judged
    failed: int  # pairs not judged
    accuracy: float | None
    low: float | None
    high: float | None
    ties: int
    longer_wins: float | None  # the baseline's share on the same pairs

    def plain(self) -> dict[str, Any]:
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
class Trust:
    """A judge's record on contrasting pairs."""

    judge_id: str
    outcomes: tuple[PairOutcome, ...] = field(repr=False)

    @property
    def overall(self) -> PairAccuracy:
        """Over all pairs."""
        return share_of(self.outcomes)

    @property
    def by_dimension(self) -> dict[str, PairAccuracy]:
        """Per dimension, in the order of the pairs."""
        return self._by(lambda outcome: outcome.pair.dimension)

    @property
    def by_set(self) -> dict[str, PairAccuracy]:
        """Per set of pairs."""
        return self._by(lambda outcome: outcome.set)

    def within(self, name: str) -> Trust:
        """The record on one set of pairs."""
        return Trust(
            judge_id=self.judge_id, outcomes=tuple(o for o in self.outcomes if o.set == name)
        )

    def plain(self) -> dict[str, Any]:
        """The record as JSON data: `accuracy`, `n`, `by_dimension` and more; with several sets also
        `by_set`.
        """
        data = self.overall.plain() | {
            "judge": self.judge_id,
            "by_dimension": {name: share.plain() for name, share in self.by_dimension.items()},
        }
        if len(self.by_set) > 1:
            data["by_set"] = {name: self.within(name).plain() for name in self.by_set}
        return data

    def _by(self, key: Callable[[PairOutcome], str]) -> dict[str, PairAccuracy]:
        groups: dict[str, list[PairOutcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(key(outcome), []).append(outcome)
        return {name: share_of(outcomes) for name, outcomes in groups.items()}


def share_of(outcomes: Sequence[PairOutcome]) -> PairAccuracy:
    """The share that was ordered rightly."""
    judged = [(credit, o.longer) for o in outcomes if (credit := o.credit) is not None]
    n, failed = len(judged), len(outcomes) - len(judged)
    if not n:
        return PairAccuracy(
            n=0, failed=failed, accuracy=None, low=None, high=None, ties=0, longer_wins=None
        )
    right = sum(credit for credit, _ in judged)
    low, high = wilson(right, n)
    return PairAccuracy(
        n=n,
        failed=failed,
        accuracy=right / n,
        low=low,
        high=high,
        ties=sum(credit == 0.5 for credit, _ in judged),
        longer_wins=sum(longer for _, longer in judged) / n,
    )


def check_judge(
    spec: JudgeSpec,
    backend: Backend,
    rubric: Rubric,
    sets: Sequence[PairSet],
    *,
    on_progress: Callable[[int, int], None] | None = None,
    stopping: StopRules | None = None,
) -> Trust:
    """A judge's record on pairs; each pair is played as two episodes of one scenario and judged as
    stored episodes are.

    Only the pair's seat and dimension are asked, unless the judge asks for all dimensions in one
    call.

    Raises:
        InputError: a pair names a dimension that the rubric does not have, or the budget is too
            small.
        Stopped: too much failed.
    """
    stopping = stopping or StopRules()
    stopping.begin_pass()
    check_dimensions(sets, rubric)
    rows = [(s.name, PairEpisodes(pair=pair)) for s in sets for pair in s.pairs]
    scores: dict[tuple[int, PairSide], float | Failure] = {}
    report = on_progress or (lambda done, total: None)
    whole = spec.method == "server" and spec.one_call
    judge = make_judge(spec, backend.info, rubric)
    judgings = _judgings([scene for _, scene in rows], judge, backend.info, whole=whole)
    for judged in drive_on_backend(judgings, backend, stopping=stopping):
        i, which = judged.key
        scene, outcome = rows[i][1], judged.outcome
        if not isinstance(outcome, Failure):
            found = [
                v for v in outcome if (v.seat, v.dimension) == (scene.seat, scene.pair.dimension)
            ]
            scores[i, which] = found[0].score
        else:
            scores[i, which] = outcome
            stopping.note_failures(
                sum(isinstance(score, Failure) for score in scores.values()),
                2 * len(rows),
                "judgements",
            )
        report(len(scores), 2 * len(rows))
    stopping.raise_if_stopped()
    if stopping.budget_exhausted:
        raise InputError(
            f"{stopping.used_tokens:,} tokens were used for {len(scores)} of {2 * len(rows)}"
            " transcripts, and the budget has no room for the next; a check that is not whole is"
            " not kept, so give it a larger budget"
        )
    return Trust(
        judge_id=judge.id,
        outcomes=tuple(
            _outcome(i, name, scene.pair, scores) for i, (name, scene) in enumerate(rows)
        ),
    )


def check_dimensions(sets: Sequence[PairSet], rubric: Rubric) -> None:
    """Raises InputError, one line, where the pairs are of dimensions that the rubric does not
    have.
    """
    known = [d.name for d in rubric.dimensions]
    unknown = list(
        dict.fromkeys(
            pair.dimension for s in sets for pair in s.pairs if pair.dimension not in known
        )
    )
    if not unknown:
        return
    has = f"the rubric {rubric.name} has {', '.join(known)}"
    if any(s.shipped for s in sets):
        raise InputError(
            f"the shipped pairs are about the rubric sotopia, and {has}: give pairs of your own"
            " with --pairs FILE (`simworld judge check --help` shows one)"
        )
    near = [f"{name!r}{did_you_mean(name, known)}" for name in unknown]
    what = "dimension" if len(unknown) == 1 else "dimensions"
    hint = "" if len(unknown) == 1 and near[0] != repr(unknown[0]) else f"; {has}"
    files = ", ".join(s.file or s.name for s in sets)
    raise InputError(f"{files}: unknown {what} {', '.join(near)}{hint}")


def load_pairs(path: Path) -> PairSet:
    """The pairs of a YAML file: a list of rows. Raises InputError with every problem and its
    place.
    """
    return PairSet(name=path.stem, pairs=_pairs(load_yaml(path)), file=str(path))


def shipped_pairs() -> tuple[PairSet, ...]:
    """The pairs that come with simworld."""
    folder = resources.files("simworld.judging") / "pairs"
    texts = {name: (folder / f"{name}.yaml").read_text("utf-8") for name in SHIPPED}
    return tuple(
        PairSet(name=name, pairs=_pairs(load_text(text, f"{name}.yaml")), shipped=True)
        for name, text in texts.items()
    )


def _pairs(document: Document) -> tuple[ContrastPair, ...]:
    if not isinstance(document.data, list) or not document.data:
        found = (
            "an empty file"
            if document.data is None
            else "an empty list"
            if document.data == []
            else "something else"
        )
        raise InputError([document.problem((), f"expected a list of pairs, found {found}")])
    pairs: list[ContrastPair] = []
    problems: list[Problem] = []
    for i, row in enumerate(document.data):
        nodes = document.root.value if document.root is not None else ()
        try:
            pairs.append(parse(Document(name=document.name, data=row, root=nodes[i]), ContrastPair))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(pairs)


def _judgings(
    scenes: Sequence[PairEpisodes], judge: Judge, info: ModelInfo, *, whole: bool
) -> Iterator[tuple[tuple[int, PairSide], Judging]]:
    for i, scene in enumerate(scenes):
        asked = judge
        if not whole:
            dimension = next(d for d in judge.rubric.dimensions if d.name == scene.pair.dimension)
            rubric = Rubric(name=judge.rubric.name, dimensions=(dimension,))
            asked = Judge(id=judge.id, spec=judge.spec, rubric=rubric, info=info)
        texts: dict[PairSide, str] = {"better": scene.pair.better, "worse": scene.pair.worse}
        for which, text in texts.items():
            yield (
                (i, which),
                asked.judging(
                    scene.scenario,
                    scene.episode(text),
                    seats=(scene.seat,),
                    thread=f"pair/{i}/{which}",
                ),
            )


def _outcome(
    i: int, name: str, pair: ContrastPair, scores: Mapping[tuple[int, PairSide], float | Failure]
) -> PairOutcome:
    better, worse = scores[i, "better"], scores[i, "worse"]
    failure = (
        better if isinstance(better, Failure) else worse if isinstance(worse, Failure) else None
    )
    if failure is not None:
        return PairOutcome(pair=pair, set=name, better=None, worse=None, failure=failure)
    return PairOutcome(pair=pair, set=name, better=float(better), worse=float(worse))  # type: ignore[arg-type]


def _credit(better: float, worse: float) -> float:
    if abs(better - worse) <= SAME:
        return 0.5
    return 1.0 if better > worse else 0.0
