"""A judge's pass over its own judgements: what each utterance was worth, committed as it comes, and
none asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from simworld.core.episode import Episode
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import stored_rubric
from simworld.core.protocols import Backend
from simworld.core.scenario import Scenario
from simworld.core.stopping import StopRules
from simworld.driver import LIVE, drive_on_backend
from simworld.judging.attribution import Attributing, attribute, check_method
from simworld.judging.judge import Judge, make_judge
from simworld.judging.judge_spec import JudgeSpec
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionTally:
    """How far a pass is; what failed is not stored and is asked again next time."""

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
    live: int = LIVE,
    on_progress: Callable[[AttributionTally], None] | None = None,
    stopping: StopRules | None = None,
) -> AttributionTally:
    """Asks a judge about the utterances of every episode it has judged (of one run) and not yet
    shared out this way.

    Args:
        store: holds the judgements.
        spec: of the judge that made them.
        backend: its model.
        method: "attributed" or "prefixes".
        run: only this run's episodes.
        live: episodes worked on at a time.
        on_progress: called at the start and after each commit.
        stopping: when to stop before the end.

    Raises:
        InputError: this judge cannot do that, or has judged nothing.
        StoreError: the database cannot take it; what came before is stored.
        Stopped: too much failed.
    """
    check_method(spec, method)
    stopping = stopping or StopRules()
    stopping.begin()
    judges = _stored_judges(store, spec, backend)
    total = sum(1 for judge in judges for _ in store.unattributed(judge.id, method, run=run))
    tally = AttributionTally(total=total)
    report = on_progress or (lambda tally: None)
    report(tally)
    for judge in judges:
        due = _due(store, judge, method, run)
        for ended in drive_on_backend(due, backend, live=live, stopping=stopping):
            if isinstance(ended.outcome, Failure):
                tally = replace(tally, failed=tally.failed + 1, last_failure=ended.outcome)
                stopping.failed(tally.failed, total, "attributions")
            else:
                store.add_attributions(ended.key, method, ended.outcome)
                tally = replace(tally, done=tally.done + 1)
            report(tally)
    stopping.check()
    return tally


def _stored_judges(store: Store, spec: JudgeSpec, backend: Backend) -> list[Judge]:
    """This judge with each rubric it has judged by: those whose id comes out as it is stored."""
    found = []
    for record in store.judges():
        if record.name != spec.name or "rubric" not in record.spec:
            continue
        judge = make_judge(spec, backend.info, stored_rubric(record.spec["rubric"]))
        if judge.id == record.id:
            found.append(judge)
    if not found:
        raise InputError(
            f"judge {spec.name} as it is now has judged nothing in {store.location}; simworld judge"
            " run comes first"
        )
    return found


def _due(
    store: Store, judge: Judge, method: str, run: str | None
) -> Iterator[tuple[str, Attributing]]:
    """Each with the id of its judgement."""
    for judgement_id, episode_id, sample in store.unattributed(judge.id, method, run=run):
        stored = store.episode(episode_id, vectors=False)
        scenario = store.scenario(stored.episode.scenario_id)
        (judgement,) = (
            made.judgement
            for made in store.judgements(episode_id)
            if made.judgement.judge_id == judge.id and made.judgement.sample == sample
        )
        seats = _seats(scenario, stored.episode)
        yield judgement_id, attribute(judge, method, scenario, stored.episode, judgement, seats)


def _seats(scenario: Scenario, episode: Episode) -> list[str]:
    acted = {act.seat for act in episode.acts}
    return [seat.name for seat in scenario.seats if seat.name in acted]
