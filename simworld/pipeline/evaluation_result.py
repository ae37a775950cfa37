"""What an evaluation found: every arm against the base, the focus against every arm, and the
language of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from agents import LMSpec, model_key
from simworld.core.arrays import EmbedTexts, Floats
from simworld.core.episode import Ending, Episode
from simworld.core.errors import InputError
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures
from simworld.pipeline.requirements import RequirementOutcome
from simworld.results.arms import Arm, ArmSeat, scores_by_seat, tally_arm
from simworld.results.differences import compare_agents
from simworld.results.language_quality import LanguageQuality, measure_language
from simworld.results.last_attempts import last_attempts
from simworld.results.perplexity import (
    Surprise,
    perplexity_ratio,
    read_surprise,
    reply_requests,
    seats_to_read,
)
from simworld.results.planner_ways import PlannerWays
from simworld.results.seat_measures import MeasureSpec, PlayedSeat, measure_seat
from simworld.results.seat_scores import to_score_tables
from simworld.results.traits import TraitTable, arm_traits
from simworld.runner.agent_pool import AgentPool
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.stats.paired_tests import PairedComparison
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.data.reward_kinds import make_act_reward
from simworld.training.data.reward_rules import check_standardised
from simworld.training.data.seat_turns import seat_turns
from store import EpisodeSummary, Store, StoredEpisode

ARM_COUNTS = ("planned", "missing", "failed", "failed_share", "unscored", "unscored_share")
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
    quality: Mapping[str, LanguageQuality]
    traits: Mapping[str, TraitTable]  # arm → what marks it beside the base
    base: str  # the arm that others are compared with
    measures: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Seats whose episode failed, or that have no value of the main measure."""
        return sum(arm.failed + arm.unscored for arm in self.arms.values())

    def paired(self, first: str, second: str, measure: str) -> PairedComparison | None:
        """One arm less another on one measure; raw, without a correction for others."""
        return _paired_by_measure(self.arms, first, second, (self.main,)).get(measure)


def compare_arms(
    plan: ArmsPlan,
    agent_pool: AgentPool,
    store: Store,
    evaluated: EvaluationMeasures,
    judge_ids: Sequence[str] = (),
    *,
    replies_read: int = 400,
    embed: EmbedTexts | None = None,
) -> Evaluation:
    """Compares what is stored of a plan: each arm with the base, and the focus with every other
    arm.

    Args:
        plan: of the evaluation.
        agent_pool: its agents; their models tell perplexities.
        store: where it was played.
        evaluated: what to compare by.
        judge_ids: of the judge, as its `JudgingTally` names them.
        replies_read: replies of an arm that are read for perplexity and embeddings; 0: none.
        embed: sentence embeddings for the dispersion of utterances.

    Raises:
        InputError: a pattern took too long on an utterance; an extension failed.
    """
    arm_seats = plan.arm_seats(agent_pool.ids)
    episodes = last_attempts(store.episode_summaries(run=plan.run))
    seats = scores_by_seat(store, judge_ids, [summary.id for summary in episodes.values()])
    played = _played_seats(store, plan.run, arm_seats, episodes)
    if evaluated.reward is not None:
        check_standardised(evaluated.reward.rules)
        for key, values in _mean_rewards(played, evaluated.reward, store).items():
            seats.setdefault(key, {}).update(values)
    if evaluated.seats:
        for stored, seat in (pair for of_arm in played.values() for pair in of_arm):
            values = seats.setdefault((stored.id, seat), {})
            values |= _seat_values(evaluated.seats, stored, seat, store, values)
    arms = {
        arm: tally_arm(arm, planned, episodes, seats, main_measure=evaluated.main_measure)
        for arm, planned in arm_seats.items()
    }
    scored = {m: None for arm in arms.values() for score in arm.scores for m in score.values}
    measures = (
        *(m for m in (evaluated.main_measure,) if m in scored),
        *(m for m in scored if m != evaluated.main_measure),
    )
    said = {
        arm: [(stored.episode, seat) for stored, seat in arm_played]
        for arm, arm_played in played.items()
    }
    quality = measure_language(
        said,
        embed=embed if replies_read else None,
        max_embedded=replies_read,
    )
    if replies_read:
        surprise = _read_replies(plan, played, agent_pool, store, replies_read)
        of_base = surprise.get(plan.base_arm)
        quality |= {
            arm: replace(
                quality[arm],
                perplexity=read.perplexity,
                perplexity_ratio=perplexity_ratio(read, of_base)
                if of_base is not None and arm != plan.base_arm
                else None,
            )
            for arm, read in surprise.items()
        }
    return Evaluation(
        run=plan.run,
        main=evaluated.main_measure,
        judge_ids=tuple(judge_ids),
        arms=arms,
        agents={arm: agent_pool.ids[agent] for arm, agent in plan.arms.items()},
        levels={arm: _mean_levels(arms[arm], measures) for arm in arms},
        comparisons=tuple(
            _compare_by_measure(arms, first, second, measures, evaluated.main_measure)
            for first, second in _compared_pairs(plan)
        ),
        quality=quality,
        traits=arm_traits(said, plan.base_arm, PlannerWays(store)),
        base=plan.base_arm,
        measures=measures,
    )


def _played_seats(
    store: Store,
    run: str,
    arm_seats: Mapping[str, Sequence[ArmSeat]],
    episodes: Mapping[str, EpisodeSummary],
) -> dict[str, list[tuple[StoredEpisode, str]]]:
    ended_ids = {summary.id for summary in episodes.values() if summary.ending is not Ending.failed}
    stored = {each.id: each for each in store.episodes(run=run) if each.id in ended_ids}
    played = {}
    for arm, planned in arm_seats.items():
        seats = [
            (episodes[arm_seat.item_key].id, arm_seat.seat)
            for arm_seat in planned
            if arm_seat.item_key in episodes
        ]
        played[arm] = [(stored[id_], seat) for id_, seat in seats if id_ in stored]
    return played


def _seat_values(
    specs: Sequence[MeasureSpec],
    stored: StoredEpisode,
    seat: str,
    store: Store,
    known: Mapping[str, float],
) -> dict[str, float]:
    scenario = store.scenario(stored.episode.scenario_id)
    played = PlayedSeat(scenario=scenario, episode=stored.episode, seat=seat)
    values = measure_seat(specs, played)
    if clash := [name for name in values if name in known and known[name] != values[name]]:
        raise InputError(
            f"measure {clash[0]!r} has the name of what the judge or the reward says of a seat"
        )
    return values


def _mean_rewards(
    played: _PlayedSeats, reward: RewardSettings, store: Store
) -> dict[tuple[str, str], dict[str, float]]:
    """(episode id, seat) → measure → the mean over the seat's acts; a seat that never had a turn
    has none.
    """
    measure = _act_measures(reward, store)
    if measure is None:
        return {}
    means: dict[tuple[str, str], dict[str, float]] = {}
    for stored, seat in (pair for seats in played.values() for pair in seats):
        if (stored.id, seat) not in means and any(act.seat == seat for act in stored.episode.acts):
            values = measure(stored.episode, seat).mean(0)
            means[stored.id, seat] = dict(zip(reward.measures, values.tolist(), strict=True))
    return means


def _act_measures(reward: RewardSettings, store: Store) -> Callable[[Episode, str], Floats] | None:
    """What gives of an episode and a seat the reward's measures of each act, (n, measures)."""
    act_reward = make_act_reward(reward)
    if act_reward is None:
        return None

    def measures(episode: Episode, seat: str) -> Floats:
        if act_reward.words_alone:
            return act_reward.of_texts(a.action.text for a in episode.acts if a.seat == seat)
        turns = seat_turns(store.scenario(episode.scenario_id), episode, seat)
        return act_reward.measure(list(turns.values()))

    return measures


def _read_replies(
    plan: ArmsPlan, played: _PlayedSeats, agent_pool: AgentPool, store: Store, limit: int
) -> dict[str, Surprise]:
    """How surprising replies of each arm with a local model are to that model without a prefix."""
    surprise = {}
    for arm, agent in plan.arms.items():
        spec = plan.specs[agent].spec
        backend = agent_pool.find_backend(model_key(spec)) if isinstance(spec, LMSpec) else None
        if backend is not None:
            seats = seats_to_read(played[arm], backend.info.id, limit)
            surprise[arm] = read_surprise(reply_requests(store, seats, backend.info.id), backend)
    return surprise


def _compared_pairs(plan: ArmsPlan) -> Iterator[tuple[str, str]]:
    """Every arm against the base, then the focus against every other arm."""
    yield from ((arm, plan.base_arm) for arm in plan.arms if arm != plan.base_arm)
    if plan.focus_arm != plan.base_arm:
        compared = (plan.focus_arm, plan.base_arm)
        yield from ((plan.focus_arm, arm) for arm in plan.arms if arm not in compared)


def _compare_by_measure(
    arms: Mapping[str, Arm], first: str, second: str, measures: Sequence[str], main: str
) -> Comparison:
    """P is corrected over the dimensions; the main measure is not one of them."""
    paired = _paired_by_measure(arms, first, second, (main,))
    return Comparison(
        first=first, second=second, by_measure={name: paired.get(name) for name in measures}
    )


def _paired_by_measure(
    arms: Mapping[str, Arm], first: str, second: str, main: Sequence[str]
) -> dict[str, PairedComparison]:
    tables = to_score_tables(score for arm in (first, second) for score in arms[arm].scores)
    differences = compare_agents(tables, first, second, main_measures=main)
    return {measure: difference.comparison for measure, difference in differences.items()}


def _mean_levels(arm: Arm, measures: Sequence[str]) -> dict[str, Estimate]:
    values = {m: [(s.family, s.values[m]) for s in arm.scores if m in s.values] for m in measures}
    return {measure: mean_by_family(pairs) for measure, pairs in values.items() if pairs}


def evaluation_json(
    evaluation: Evaluation, outcomes: Sequence[RequirementOutcome] = ()
) -> dict[str, Any]:
    """Everything an evaluation found. What could not be computed is null; `notes` say why."""
    return {
        "run": evaluation.run,
        "main": evaluation.main,
        "judges": list(evaluation.judge_ids),
        "arms": {
            arm_name: {
                "agent": evaluation.agents[arm_name],
                **{name: getattr(arm, name) for name in ARM_COUNTS},
                "levels": {
                    measure: asdict(level) for measure, level in evaluation.levels[arm_name].items()
                },
                "quality": asdict(evaluation.quality[arm_name]),
            }
            for arm_name, arm in evaluation.arms.items()
        },
        "base": evaluation.base,
        "traits": {arm: traits.to_json() for arm, traits in evaluation.traits.items()},
        "comparisons": [
            {
                "first": comparison.first,
                "second": comparison.second,
                "measures": {
                    measure: _paired_json(paired)
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


def _paired_json(paired: PairedComparison | None) -> dict[str, Any] | None:
    return None if paired is None else {**asdict(paired), "notes": list(paired.notes)}
