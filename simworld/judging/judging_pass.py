"""A judge's pass over the stored episodes: many at once, each committed as it ends, and none judged
twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from scenarios.rubrics import DEFAULT_RUBRIC, load_rubric, scenario_rubric
from simworld.core.errors import Failure, InputError, Problem
from simworld.core.judgement import Judgement, JudgementStatus, Rubric, Verdict
from simworld.core.protocols import Backend
from simworld.core.scenario import Scenario
from simworld.core.stopping import DeferredCommits, StopRules
from simworld.driver import LIVE, EndedPiece, drive_on_backend
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprob_judging import Judging
from simworld.judging.swapped_dialogue import Swap
from store import Store

ANY = ""  # no judge has this id, so every episode is unjudged by it
NO_RUBRIC = (
    "its episodes stay unjudged, for they were stored without their rubric: put the file there, "
    "or run the scenario's file again, which stores it and plays nothing twice"
)
SCENARIOS = 256  # kept in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingTally:
    """How far a pass is; a failed judgement is stored and counts as failed, never as a score."""

    scored: int = 0
    failed: int = 0
    already: int = 0  # judgements that were there before
    total: int = 0
    judge_ids: tuple[str, ...] = ()  # one per rubric
    last_failure: Failure | None = None
    overruled: tuple[
        str, ...
    ] = ()  # names of scenarios that name a rubric, while the judge scores by its own, another one
    # scenarios stored without their rubric's content, whose file is not there now
    no_rubric: tuple[Problem, ...] = ()

    @property
    def left(self) -> int:
        """Judgements still to make; also those that lack a rubric."""
        return self.total - self.already - self.scored - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _JudgementKey:
    episode_id: str
    scenario: Scenario


_Judged = EndedPiece[_JudgementKey, tuple[Verdict, ...] | Failure]


class JudgingRun:
    """One pass. `tally` may be read at any time, also after an interrupt: what it counts is
    committed.

    `waited` (by backend) and `storing_s` tell how many seconds the backend and the writing of
    judgements took.
    """

    def __init__(
        self,
        store: Store,
        spec: JudgeSpec,
        backend: Backend,
        *,
        run: str | None = None,
        retry_failed: bool = False,
        swap: Swap | None = None,
        stopping: StopRules | None = None,
    ) -> None:
        self.tally = JudgingTally()
        self.waited: dict[str, float] = {}
        self.storing_s = 0.0
        self._store, self._spec, self._backend, self._run, self._retry = (
            store,
            spec,
            backend,
            run,
            retry_failed,
        )
        self._swap = swap
        self._stopping = stopping or StopRules()
        self._results = DeferredCommits(self._stopping, self._commit)
        self._scenarios: dict[str, Scenario] = {}
        self._rubrics: dict[str, Rubric | Problem] = {}  # by scenario
        self._others: dict[str, Rubric] = {}  # rubrics met that are not the one in hand, by id
        self._overruled: dict[str, None] = {}  # names of scenarios, in order
        self._unread: set[str] = set()  # episodes whose rubric cannot be read

    def go(
        self,
        *,
        samples: int | None = None,
        live: int = LIVE,
        on_progress: Callable[[JudgingTally], None] | None = None,
    ) -> JudgingTally:
        """Judges what is not yet judged and returns the counts.

        Args:
            samples: judgements per episode; default: the spec's.
            live: judgements worked on at a time.
            on_progress: called at the start and after each commit.

        Raises:
            InputError: the judge's rubric cannot be read. That of a scenario leaves its episodes
                unjudged: see `no_rubric`.
            StoreError: the database cannot take a judgement; those before it are stored.
            Stopped: too much failed. What the server refused for good just before is not stored, so
                that a resume asks again.
        """
        self._stopping.begin()
        count = self._spec.samples if samples is None else samples
        everything = sum(1 for _ in self._store.unjudged(ANY, 0, run=self._run)) * count
        first = load_rubric(self._spec.rubric or DEFAULT_RUBRIC)
        rubrics = [first]
        report = on_progress or (lambda tally: None)
        for rubric in rubrics:  # grows while other rubrics turn up
            judge = make_judge(self._spec, self._backend.info, rubric, swap=self._swap)
            open_ = [self._count(judge, sample) for sample in range(count)]
            if rubric is first:
                self.tally = JudgingTally(total=everything, already=everything - sum(open_))
            self.tally = replace(self.tally, judge_ids=(*self.tally.judge_ids, judge.id))
            report(self.tally)
            if any(open_):
                self._store.add_judge(judge.id, judge.name, judge.record())
            for sample in range(count):
                due = self._due(judge, sample)
                for judged in drive_on_backend(
                    due, self._backend, live=live, waited=self.waited, stopping=self._stopping
                ):
                    failure = judged.outcome if isinstance(judged.outcome, Failure) else None
                    self._results.take((judge, sample, judged), failure)
                    report(self.tally)
            rubrics += [other for other in self._others.values() if other not in rubrics]
        if self._results.release():
            report(self.tally)
        self._stopping.check()
        problems = tuple(found for found in self._rubrics.values() if isinstance(found, Problem))
        self.tally = replace(
            self.tally, no_rubric=tuple(dict.fromkeys(problems)), overruled=tuple(self._overruled)
        )
        if not self._stopping.short:
            done = self.tally.scored + self.tally.failed + len(self._unread) * count
            self.tally = replace(self.tally, already=everything - done)
        return self.tally

    def _count(self, judge: Judge, sample: int) -> int:
        return sum(
            1
            for _ in self._store.unjudged(judge.id, sample, run=self._run, retry_failed=self._retry)
        )

    def _due(self, judge: Judge, sample: int) -> Iterator[tuple[_JudgementKey, Judging]]:
        for id_ in self._store.unjudged(judge.id, sample, run=self._run, retry_failed=self._retry):
            stored = self._store.episode(id_, vectors=False)
            scenario = self._scenario(stored.episode.scenario_id)
            if self._spec.rubric and _names_another(scenario, judge.rubric):
                self._overruled[scenario.name] = None
            if not self._spec.rubric:
                rubric = self._rubric(scenario, stored.episode.scenario_id)
                if isinstance(rubric, Problem):
                    self._unread.add(id_)
                    continue
                if rubric != judge.rubric:
                    self._others[rubric.id] = rubric
                    continue
            key = _JudgementKey(episode_id=id_, scenario=scenario)
            yield key, judge.judging(scenario, stored.episode, sample=sample, thread=id_)

    def _commit(self, result: tuple[Judge, int, _Judged]) -> None:
        judge, sample, judged = result
        outcome, usage = judged.outcome, judged.usage
        failure = outcome if isinstance(outcome, Failure) else None
        verdicts = () if isinstance(outcome, Failure) else outcome
        ranges = {d.name: d for d in judge.rubric.dimensions}
        judgement = Judgement(
            episode_id=judged.key.episode_id,
            judge_id=judge.id,
            sample=sample,
            status=JudgementStatus.failed if failure else JudgementStatus.ok,
            rubric_id=judge.rubric.id,
            verdicts=verdicts,
            failure=failure,
            model_id=judge.info.id,
            dtype=usage.dtype or judge.info.dtype,
            prompt_tokens=usage.prompt_tokens,
            new_tokens=usage.new_tokens,
            latency_s=usage.latency_s,
            reply="\n".join(usage.replies),
        )
        rescaled = {(v.seat, v.dimension): ranges[v.dimension].rescale(v.score) for v in verdicts}
        begun = time.perf_counter()
        added = self._store.add_judgement(judgement, rescaled, replace_failed=self._retry)
        self.storing_s += time.perf_counter() - begun
        if not added:
            return  # another process was quicker
        if failure:
            self.tally = replace(self.tally, failed=self.tally.failed + 1, last_failure=failure)
            self._stopping.failed(
                self.tally.failed, self.tally.total - self.tally.already, "judgements"
            )
        else:
            self.tally = replace(self.tally, scored=self.tally.scored + 1)

    def _rubric(self, scenario: Scenario, id_: str) -> Rubric | Problem:
        if id_ not in self._rubrics:
            try:
                self._rubrics[id_] = scenario_rubric(scenario)
            except InputError as error:
                reasons = "; ".join(map(str, error.problems))
                self._rubrics[id_] = Problem(
                    message=f"{reasons}; {NO_RUBRIC}", where=f"scenario {scenario.name!r}"
                )
        return self._rubrics[id_]

    def _scenario(self, id_: str) -> Scenario:
        if id_ not in self._scenarios:
            if len(self._scenarios) >= SCENARIOS:
                self._scenarios.pop(next(iter(self._scenarios)))
            self._scenarios[id_] = self._store.scenario(id_)
        return self._scenarios[id_]


def _names_another(scenario: Scenario, rubric: Rubric) -> bool:
    """Whether a scenario names a rubric that is not this one; the default counts as none."""
    if scenario.own_rubric is not None:
        return scenario.own_rubric.id != rubric.id
    return scenario.rubric not in (DEFAULT_RUBRIC, rubric.name)
