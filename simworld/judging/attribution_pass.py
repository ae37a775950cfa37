"""A judge's pass over its own judgements: what each utterance was worth, none asked twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from simworld.core.episode import Episode
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import rubric_from_json
from simworld.core.protocols import Backend
from simworld.core.scenario import Scenario
from simworld.core.stopping import StopTracker
from simworld.driver import MAX_LIVE, drive_on_backend
from simworld.judging.attribution import AttributionGenerator, attribute_utterances, check_method
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionTally:
    """How far a pass is; what failed is not stored, and asked again next time."""

    done: int = 0
    failed: int = 0
    total: int = 0
    last_failure: Failure | None = None


def attribute_episodes(
    store: Store,
    spec: JudgeSpec,
    backend: Backend,
    method: str,
    *,
    run: str | None = None,
    max_live: int = MAX_LIVE,
    on_progress: Callable[[AttributionTally], None] | None = None,
    stopping: StopTracker | None = None,
) -> AttributionTally:
    """Asks a judge about the utterances of its judged episodes that it was not asked about yet.

    Args:
        store: holds the judgements.
        spec: of the judge that made them.
        backend: its model.
        method: "attributed" or "prefixes".
        run: only this run's episodes.
        max_live: episodes worked on at a time.
        on_progress: called at the start and after each commit.
        stopping: when to stop before the end.

    Raises:
        InputError: this judge cannot do that, or has judged nothing.
        StoreError: the database cannot take it; what came before is stored.
        Stopped: too much failed.
    """
    check_method(spec, method)
    stopping = stopping or StopTracker()
    stopping.begin_pass()
    judges = _stored_judges(store, spec, backend)
    total = sum(1 for judge in judges for _ in store.unattributed(judge.id, method, run=run))
    tally = AttributionTally(total=total)
    report_progress = on_progress or (lambda tally: None)
    report_progress(tally)
    for judge in judges:
        due_attributions = _due_attributions(store, judge, method, run)
        for ended in drive_on_backend(
            due_attributions, backend, max_live=max_live, stopping=stopping
        ):
            if isinstance(ended.outcome, Failure):
                tally = replace(tally, failed=tally.failed + 1, last_failure=ended.outcome)
                stopping.note_failures(tally.failed, total, "attributions")
            else:
                store.add_attributions(ended.key, method, ended.outcome)
                tally = replace(tally, done=tally.done + 1)
            report_progress(tally)
    stopping.raise_if_stopped()
    return tally


def _stored_judges(store: Store, spec: JudgeSpec, backend: Backend) -> list[Judge]:
    """This judge with each rubric it has judged by: those whose id comes out as it is stored."""
    judges = []
    for record in store.judges():
        if record.name != spec.name or "rubric" not in record.spec:
            continue
        judge = make_judge(spec, backend.info, rubric_from_json(record.spec["rubric"]))
        if judge.id == record.id:
            judges.append(judge)
    if not judges:
        raise InputError(
            f"judge {spec.name} as it is now has judged nothing in {store.location}; simworld judge"
            " run comes first"
        )
    return judges


def _due_attributions(
    store: Store, judge: Judge, method: str, run: str | None
) -> Iterator[tuple[str, AttributionGenerator]]:
    """The attributions to make, each with the id of its judgement."""
    for judgement_id, episode_id, sample in store.unattributed(judge.id, method, run=run):
        stored = store.episode(episode_id, vectors=False)
        scenario = store.scenario(stored.episode.scenario_id)
        (judgement,) = (
            each.judgement
            for each in store.judgements(episode_id)
            if each.judgement.judge_id == judge.id and each.judgement.sample == sample
        )
        episode, seats = stored.episode, _acting_seats(scenario, stored.episode)
        attribution = attribute_utterances(judge, method, scenario, episode, judgement, seats)
        yield judgement_id, attribution


def _acting_seats(scenario: Scenario, episode: Episode) -> list[str]:
    acted_seats = {act.seat for act in episode.acts}
    return [seat.name for seat in scenario.seats if seat.name in acted_seats]
