"""A judge's pass over stored episodes: each judgement committed as it ends, none made twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from scenarios.rubrics import DEFAULT_RUBRIC, load_rubric, scenario_rubric
from simworld.core.errors import Failure, InputError, Problem
from simworld.core.judgement import Judgement, JudgementStatus, Rubric, Verdict
from simworld.core.protocols import Backend, JudgementGenerator
from simworld.core.scenario import Scenario
from simworld.core.stopping import DeferredCommits, StopTracker
from simworld.driver import MAX_LIVE, EndedPiece, drive_on_backend
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.swapped_dialogue import Swap
from store import Store

_log = logging.getLogger(__name__)
NO_JUDGE = ""  # no judge has this id, so every episode is unjudged by it
NO_RUBRIC_HINT = (
    "its episodes stay unjudged, for they were stored without their rubric: put the file there, "
    "or run the scenario's file again, which stores it and plays nothing twice"
)
MAX_CACHED_SCENARIOS = 256  # kept in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingTally:
    """How far a pass is; a failed judgement is stored, and never counts as a score."""

    scored: int = 0
    failed: int = 0
    already_judged: int = 0  # judgements that were there before
    total: int = 0
    judge_ids: tuple[str, ...] = ()  # one per rubric
    last_failure: Failure | None = None
    # names of scenarios that name a rubric, while the judge scores by its own, another one
    overruled_scenarios: tuple[str, ...] = ()
    # scenarios stored without their rubric's content, whose file is not there now
    missing_rubrics: tuple[Problem, ...] = ()

    @property
    def remaining(self) -> int:
        """Judgements still to make; also those that lack a rubric."""
        return self.total - self.already_judged - self.scored - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _JudgedEpisode:
    episode_id: str
    scenario: Scenario


_EndedJudgement = EndedPiece[_JudgedEpisode, tuple[Verdict, ...] | Failure]


class JudgingPass:
    """One pass. `tally` may be read at any time, also after an interrupt: it counts commits.

    `backend_seconds` (by backend) and `storing_s` tell where the time went.
    """

    def __init__(
        self,
        store: Store,
        spec: JudgeSpec,
        backend: Backend,
        *,
        run: str | None = None,
        episodes: Collection[str] | None = None,
        retry_failed: bool = False,
        swap: Swap | None = None,
        stopping: StopTracker | None = None,
    ) -> None:
        """`run` and `episodes` (ids) limit what is judged; by default all that is stored is."""
        self.tally = JudgingTally()
        self.backend_seconds: dict[str, float] = {}
        self.storing_s = 0.0
        self._store, self._spec, self._backend = store, spec, backend
        self._run, self._retry_failed = run, retry_failed
        self._chosen_ids = None if episodes is None else frozenset(episodes)
        self._swap = swap
        self._stopping = stopping or StopTracker()
        self._commits = DeferredCommits(self._stopping, self._commit)
        self._scenario_cache: dict[str, Scenario] = {}
        self._rubric_cache: dict[str, Rubric | Problem] = {}  # by scenario
        self._other_rubrics: dict[str, Rubric] = {}  # met beside the one in hand, by id
        self._overruled_scenarios: dict[str, None] = {}  # names of scenarios, in order
        self._lack_rubric: set[str] = set()  # episodes whose rubric cannot be read

    def judge_missing(
        self,
        *,
        samples: int | None = None,
        max_live: int = MAX_LIVE,
        on_progress: Callable[[JudgingTally], None] | None = None,
    ) -> JudgingTally:
        """Judges what is not yet judged and returns the counts.

        Args:
            samples: judgements per episode; default: the spec's.
            max_live: judgements worked on at a time.
            on_progress: called at the start and after each commit.

        Raises:
            InputError: the judge's rubric cannot be read. A scenario's that cannot is counted in
                `missing_rubrics`.
            StoreError: the database cannot take a judgement; those before it are stored.
            Stopped: too much failed. What a server refused just before is asked again next time.
        """
        self._stopping.begin_pass()
        sample_count = self._spec.samples if samples is None else samples
        every_episode = self._chosen(self._store.unjudged(NO_JUDGE, 0, run=self._run))
        total = sum(1 for _ in every_episode) * sample_count
        first_rubric = load_rubric(self._spec.rubric or DEFAULT_RUBRIC)
        rubrics = [first_rubric]
        report_progress = on_progress or (lambda tally: None)
        for rubric in rubrics:  # grows while other rubrics turn up
            judge = make_judge(self._spec, self._backend.info, rubric, swap=self._swap)
            missing_counts = [
                sum(1 for _ in self._unjudged(judge, sample)) for sample in range(sample_count)
            ]
            if rubric is first_rubric:
                self.tally = JudgingTally(total=total, already_judged=total - sum(missing_counts))
            self.tally = replace(self.tally, judge_ids=(*self.tally.judge_ids, judge.id))
            _log.info(
                "judge %s, rubric %r: %d judgements to make, of %d",
                judge.id,
                rubric.name,
                sum(missing_counts),
                total,
            )
            report_progress(self.tally)
            if any(missing_counts):
                self._store.add_judge(judge.id, judge.name, judge.to_json())
            for sample in range(sample_count):
                due_judgements = self._due_judgements(judge, sample)
                for ended in drive_on_backend(
                    due_judgements,
                    self._backend,
                    max_live=max_live,
                    backend_seconds=self.backend_seconds,
                    stopping=self._stopping,
                ):
                    failure = ended.outcome if isinstance(ended.outcome, Failure) else None
                    self._commits.commit_or_hold((judge, sample, ended), failure)
                    report_progress(self.tally)
            rubrics += [other for other in self._other_rubrics.values() if other not in rubrics]
        if self._commits.commit_held():
            report_progress(self.tally)
        self._stopping.raise_if_stopped()
        problems = tuple(
            rubric for rubric in self._rubric_cache.values() if isinstance(rubric, Problem)
        )
        self.tally = replace(
            self.tally,
            missing_rubrics=tuple(dict.fromkeys(problems)),
            overruled_scenarios=tuple(self._overruled_scenarios),
        )
        if not self._stopping.budget_exhausted:
            done = self.tally.scored + self.tally.failed + len(self._lack_rubric) * sample_count
            self.tally = replace(self.tally, already_judged=total - done)
        return self.tally

    def _unjudged(self, judge: Judge, sample: int) -> Iterator[str]:
        return self._chosen(
            self._store.unjudged(judge.id, sample, run=self._run, retry_failed=self._retry_failed)
        )

    def _chosen(self, episode_ids: Iterable[str]) -> Iterator[str]:
        chosen = self._chosen_ids
        return (id_ for id_ in episode_ids if chosen is None or id_ in chosen)

    def _due_judgements(
        self, judge: Judge, sample: int
    ) -> Iterator[tuple[_JudgedEpisode, JudgementGenerator]]:
        for episode_id in self._unjudged(judge, sample):
            stored = self._store.episode(episode_id, vectors=False)
            scenario = self._scenario(stored.episode.scenario_id)
            if self._spec.rubric and _names_other_rubric(scenario, judge.rubric):
                self._overruled_scenarios[scenario.name] = None
            if not self._spec.rubric:
                rubric = self._rubric(scenario, stored.episode.scenario_id)
                if isinstance(rubric, Problem):
                    self._lack_rubric.add(episode_id)
                    continue
                if rubric != judge.rubric:
                    self._other_rubrics[rubric.id] = rubric
                    continue
            key = _JudgedEpisode(episode_id=episode_id, scenario=scenario)
            yield key, judge.judge_episode(scenario, stored.episode, sample, thread=episode_id)

    def _commit(self, result: tuple[Judge, int, _EndedJudgement]) -> None:
        judge, sample, ended = result
        outcome, usage = ended.outcome, ended.usage
        failure = outcome if isinstance(outcome, Failure) else None
        verdicts = () if isinstance(outcome, Failure) else outcome
        dimensions = {d.name: d for d in judge.rubric.dimensions}
        judgement = Judgement(
            episode_id=ended.key.episode_id,
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
        rescaled = {
            (v.seat, v.dimension): dimensions[v.dimension].rescale(v.score) for v in verdicts
        }
        started = time.perf_counter()
        added = self._store.add_judgement(judgement, rescaled, replace_failed=self._retry_failed)
        self.storing_s += time.perf_counter() - started
        if not added:
            return  # another process was quicker
        if failure:
            self.tally = replace(self.tally, failed=self.tally.failed + 1, last_failure=failure)
            self._stopping.note_failures(
                self.tally.failed, self.tally.total - self.tally.already_judged, "judgements"
            )
        else:
            self.tally = replace(self.tally, scored=self.tally.scored + 1)

    def _rubric(self, scenario: Scenario, id_: str) -> Rubric | Problem:
        if id_ not in self._rubric_cache:
            try:
                self._rubric_cache[id_] = scenario_rubric(scenario)
            except InputError as error:
                reasons = "; ".join(map(str, error.problems))
                self._rubric_cache[id_] = Problem(
                    f"{reasons}; {NO_RUBRIC_HINT}", f"scenario {scenario.name!r}"
                )
        return self._rubric_cache[id_]

    def _scenario(self, id_: str) -> Scenario:
        if id_ not in self._scenario_cache:
            if len(self._scenario_cache) >= MAX_CACHED_SCENARIOS:
                self._scenario_cache.pop(next(iter(self._scenario_cache)))
            self._scenario_cache[id_] = self._store.scenario(id_)
        return self._scenario_cache[id_]


def _names_other_rubric(scenario: Scenario, rubric: Rubric) -> bool:
    """Whether a scenario names a rubric that is not this one; the default counts as none."""
    if scenario.own_rubric is not None:
        return scenario.own_rubric.id != rubric.id
    return scenario.rubric not in (DEFAULT_RUBRIC, rubric.name)
