"""What an evaluation found: every arm against the base, the focus against every arm, and the
language of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agents import LMSpec, model_key
from simworld.core.arrays import Embed
from simworld.core.episode import Ending
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures
from simworld.pipeline.requirements import RequirementOutcome
from simworld.results.arms import Arm, ArmSeat, arm_of, judged_seats
from simworld.results.cells import to_score_tables
from simworld.results.differences import compare_agents
from simworld.results.language_quality import Quality, evenly_spaced, qualities
from simworld.results.last_attempts import last_attempts
from simworld.results.perplexity import perplexity, replies
from simworld.runner.loaded_agents import LoadedAgents
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.stats.paired_comparison import PairedComparison
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.data.measured_rewards import make_utterance_reward
from store import EpisodeSummary, Store, StoredEpisode

# arm → episodes that ended, and its seat in each
_PlayedSeats = Mapping[str, Sequence[tuple[StoredEpisode, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One arm less another, by measure; None where they share no scored cell."""

    first: str
    second: str
    by_measure: Mapping[str, PairedComparison | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation found."""

    run: str
    main: str  # the measure that decides
    judge_ids: tuple[str, ...]
    arms: Mapping[str, Arm]
    agents: Mapping[str, str]  # arm → agent id
    levels: Mapping[str, Mapping[str, Estimate]]  # arm → measure → mean
    comparisons: tuple[Comparison, ...]
    quality: Mapping[str, Quality]
    measures: tuple[str, ...]

    def paired(self, first: str, second: str, measure: str) -> PairedComparison | None:
        """One arm less another on one measure; raw, without a correction for others."""
        return _compare(self.arms, first, second, (self.main,)).get(measure)


def read_arms(
    plan: ArmsPlan,
    loaded_agents: LoadedAgents,
    store: Store,
    scoring: EvaluationMeasures,
    judge_ids: Sequence[str] = (),
    *,
    replies_read: int = 400,
    embed: Embed | None = None,
) -> Evaluation:
    """Compares what is stored of a plan: each arm with the base, and the focus with every other
    arm.

    Args:
        plan: of the evaluation.
        loaded_agents: its agents; their models tell perplexities.
        store: where it was played.
        scoring: what to compare by.
        judge_ids: of the judge, as its `Tally` names them.
        replies_read: replies of an arm that are read for perplexity and embeddings; 0: none.
        embed: sentence embeddings for the dispersion of utterances.

    Raises:
        InputError: a pattern took too long on an utterance.
    """
    places = plan.places(loaded_agents.ids)
    episodes = last_attempts(store.episode_summaries(run=plan.run))
    seats = judged_seats(store, judge_ids, [summary.id for summary in episodes.values()])
    played = _played(store, plan.run, places, episodes)
    if scoring.reward is not None:
        for key, value in _measured(played, scoring.reward).items():
            seats.setdefault(key, {})[scoring.reward.measure] = value
    arms = {
        arm: arm_of(arm, of_arm, episodes, seats, main=scoring.main)
        for arm, of_arm in places.items()
    }
    found = {m: None for arm in arms.values() for score in arm.scores for m in score.values}
    measures = (
        *(m for m in (scoring.main,) if m in found),
        *(m for m in found if m != scoring.main),
    )
    quality = qualities(
        {
            arm: [(stored.episode, seat) for stored, seat in of_arm]
            for arm, of_arm in played.items()
        },
        embed=embed if replies_read else None,
        most=replies_read,
    )
    if replies_read:
        specs = {arm: plan.specs[agent].spec for arm, agent in plan.arms.items()}
        quality = {
            arm: _with_perplexity(of_arm, played[arm], spec, loaded_agents, store, replies_read)
            if isinstance(spec := specs[arm], LMSpec)
            else of_arm
            for arm, of_arm in quality.items()
        }
    return Evaluation(
        run=plan.run,
        main=scoring.main,
        judge_ids=tuple(judge_ids),
        arms=arms,
        agents={arm: loaded_agents.ids[agent] for arm, agent in plan.arms.items()},
        levels={arm: _levels(arms[arm], measures) for arm in arms},
        comparisons=tuple(
            _comparison(arms, first, second, measures, scoring.main)
            for first, second in _pairs(plan)
        ),
        quality=quality,
        measures=measures,
    )


def _played(
    store: Store,
    run: str,
    places: Mapping[str, Sequence[ArmSeat]],
    episodes: Mapping[str, EpisodeSummary],
) -> dict[str, list[tuple[StoredEpisode, str]]]:
    wanted = {summary.id for summary in episodes.values() if summary.ending is not Ending.failed}
    stored = {each.id: each for each in store.episodes(run=run) if each.id in wanted}
    found = {}
    for arm, of_arm in places.items():
        seats = [
            (episodes[place.item_key].id, place.seat)
            for place in of_arm
            if place.item_key in episodes
        ]
        found[arm] = [(stored[id_], seat) for id_, seat in seats if id_ in stored]
    return found


def _measured(played: _PlayedSeats, reward: RewardSettings) -> dict[tuple[str, str], float]:
    """(episode id, seat) → the mean over the seat's acts; a seat that never had a turn has none."""
    signal = make_utterance_reward(reward)
    if signal is None:
        return {}
    found = {}
    for stored, seat in (pair for of_arm in played.values() for pair in of_arm):
        texts = [act.action.text for act in stored.episode.acts if act.seat == seat]
        if texts and (stored.id, seat) not in found:
            found[stored.id, seat] = float(signal.measure(texts).mean())
    return found


def _with_perplexity(
    quality: Quality,
    seats: Sequence[tuple[StoredEpisode, str]],
    spec: LMSpec,
    loaded_agents: LoadedAgents,
    store: Store,
    most: int,
) -> Quality:
    backend = loaded_agents.shared(model_key(spec))
    if backend is None:
        return quality
    requests = list(replies(store, seats, backend.info.id))
    return replace(quality, perplexity=perplexity(evenly_spaced(requests, most), backend))


def _pairs(plan: ArmsPlan) -> Iterator[tuple[str, str]]:
    """Every arm against the base, then the focus against every other arm."""
    yield from ((arm, plan.base) for arm in plan.arms if arm != plan.base)
    if plan.focus != plan.base:
        yield from ((plan.focus, arm) for arm in plan.arms if arm not in (plan.focus, plan.base))


def _comparison(
    arms: Mapping[str, Arm], first: str, second: str, measures: Sequence[str], main: str
) -> Comparison:
    """P is corrected over the dimensions; the main measure is not one of them."""
    found = _compare(arms, first, second, (main,))
    return Comparison(
        first=first, second=second, by_measure={measure: found.get(measure) for measure in measures}
    )


def _compare(
    arms: Mapping[str, Arm], first: str, second: str, main: Sequence[str]
) -> dict[str, PairedComparison]:
    tables = to_score_tables(score for arm in (first, second) for score in arms[arm].scores)
    found = compare_agents(tables, first, second, main=main)
    return {measure: difference.paired for measure, difference in found.items()}


def _levels(arm: Arm, measures: Sequence[str]) -> dict[str, Estimate]:
    values = {m: [(s.family, s.values[m]) for s in arm.scores if m in s.values] for m in measures}
    return {measure: mean_by_family(found) for measure, found in values.items() if found}


def plain(evaluation: Evaluation, outcomes: Sequence[RequirementOutcome] = ()) -> dict[str, Any]:
    """Everything an evaluation found. What could not be computed is null; `notes` say why."""
    return {
        "run": evaluation.run,
        "main": evaluation.main,
        "judges": list(evaluation.judge_ids),
        "arms": {
            name: {
                "agent": evaluation.agents[name],
                "planned": arm.planned,
                "missing": arm.missing,
                "failed": arm.failed,
                "failed_share": arm.failed_share,
                "unscored": arm.unscored,
                "unscored_share": arm.unscored_share,
                "levels": {
                    measure: asdict(level) for measure, level in evaluation.levels[name].items()
                },
                "quality": asdict(evaluation.quality[name]),
            }
            for name, arm in evaluation.arms.items()
        },
        "comparisons": [
            {
                "first": comparison.first,
                "second": comparison.second,
                "measures": {
                    measure: _plain_paired(paired)
                    for measure, paired in comparison.by_measure.items()
                },
            }
            for comparison in evaluation.comparisons
        ],
        "requirements": [
            {"text": outcome.requirement.text, "holds": outcome.holds, "reason": outcome.reason}
            for outcome in outcomes
        ],
    }


def _plain_paired(paired: PairedComparison | None) -> dict[str, Any] | None:
    return None if paired is None else {**asdict(paired), "notes": list(paired.notes)}
