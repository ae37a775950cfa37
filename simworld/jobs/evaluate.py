"""Comparing agents in equal circumstances: the job of `simworld evaluate`, and
`simworld.evaluate`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import PurePath
from typing import Unpack

from pydantic import ValidationError

from agents.lm.sentence_encoder import load_sentence_encoder
from simworld.core.episode import MAX_REPEATS
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.jobs.database import database_address, explaining_damage
from simworld.jobs.evaluation_listener import EvaluationListener
from simworld.jobs.evaluation_report import EvaluationReport
from simworld.jobs.judge import JudgeLike, find_judge
from simworld.jobs.planner_argument import load_planner
from simworld.jobs.progress import evaluation_bar
from simworld.jobs.settings import JobOptions, JobSettings, read_settings
from simworld.judging.judge_warnings import judge_warnings, scoring_ids
from simworld.pipeline.arms_plan import (
    BASE_ARM,
    FOCUS_ARMS,
    ArmsPlan,
    EvaluationMeasures,
    evaluation_name,
    plan_arms,
)
from simworld.pipeline.evaluate import evaluate as evaluate_plan
from simworld.pipeline.requirements import (
    Requirement,
    check_requirement,
    read_requirements,
)
from simworld.results.last_attempts import failed_attempts
from simworld.results.seat_measures import MeasureSpec
from simworld.runner.given import (
    AgentLike,
    ScenarioLike,
    given_name,
    is_given_agent,
    list_agents,
    list_scenarios,
)
from simworld.runner.stored_run import open_store_for
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.data.planner_reward import read_planner_reward
from simworld.yamlfile import problem_texts
from simworld.yamlfile.fields import SeatChoice

STEERED_ARM = FOCUS_ARMS[1]


def evaluate(
    agent: AgentLike,
    against: AgentLike | Sequence[AgentLike] | Mapping[str, AgentLike],
    *,
    scenarios: ScenarioLike | Iterable[ScenarioLike],
    partners: AgentLike | Sequence[AgentLike],
    judge: JudgeLike | None = None,
    lexical: str | None = None,
    like: str | None = None,
    reward_of: str | os.PathLike[str] | None = None,
    measures: Sequence[str] = (),
    seats: SeatChoice = "both",
    repeats: int = 1,
    seed: int = 0,
    name: str | None = None,
    require: Sequence[str] = (),
    quality: int = 400,
    db: str | os.PathLike[str] | None = None,
    **options: Unpack[JobOptions],
) -> EvaluationReport:
    """Compares an agent with others in equal circumstances.

    All play the same scenarios, seats, partners and repeats with the same random numbers; then what
    they did is judged, or measured, and compared pair by pair. The same call again plays and judges
    what is missing.

    Args:
        agent: the agent that it is about; a name, a file or a spec. Its arm is called `steered`.
        against: an agent (its arm is `base`), several (each arm has its agent's name), or arm →
            agent. The arm `base`, else the first, is what all are compared with.
        scenarios: as for `run`.
        partners: who holds the other seats.
        judge: a shipped judge's name, a file, or a `JudgeSpec`.
        lexical: compare by the share of utterances in which this pattern is found.
        like: compare by the likeness of utterances to this text.
        reward_of: compare by what this planner was rewarded for: a folder, or a steered agent.
        measures: how seats played, beside these: "words", "questions", "repeats", or what is
            installed.
        seats: where the arms play: "both" (each seat in turn), "first" or "second".
        repeats: episodes per cell and arm.
        seed: all randomness derives from it.
        name: of the run; default: derived from the other arguments.
        require: `A>B`, `A>B:goal` or `A>B:goal:p<0.01`; `holds` of the report tells.
        quality: replies of each arm that are read for perplexity and embeddings; 0: none.
        db: the database, made where there is none; default: SIMWORLD_DB, else simworld.db here.
        options: see `JobOptions`.

    Raises:
        InputError: everything wrong in what was given, at once; ResumeRefused where the run exists
            with other content.
        ModelError, MissingExtra: a model or its key is not there.
        StoreError: the database cannot be written; what was committed stays.
        Stopped: more failed than `max_failures` allows.
        BudgetSpent: there is no room for the rest in the budget of tokens.
    """
    settings = read_settings("evaluate", options)
    problems: list[Problem] = []
    arms = _name_arms(agent, against, problems)
    partner_list, scenario_list = list_agents(partners), list_scenarios(scenarios)
    reward = judge_spec = None
    with collecting_problems(problems):
        reward = read_measure(lexical, like, None if reward_of is None else os.fspath(reward_of))
    with collecting_problems(problems):
        judge_spec = None if judge is None else find_judge(judge)
    of_seats: tuple[MeasureSpec, ...] = ()
    with collecting_problems(problems):
        of_seats = read_seat_measures(measures)
    if not measures and all(way is None for way in (judge, lexical, like, reward_of)):
        problems.append(
            Problem("nothing to compare by; give judge, lexical, like, reward_of or measures")
        )
    if not 1 <= repeats <= MAX_REPEATS:
        problems.append(Problem(f"repeats: expected 1 to {MAX_REPEATS}, found {repeats}"))
    if seats not in ("both", "first", "second"):
        problems.append(Problem(f"seats: expected 'both', 'first' or 'second', found {seats!r}"))
    if quality < 0:
        problems.append(Problem(f"quality: expected a number from 0, found {quality}"))
    plan = None
    with collecting_problems(problems):
        plan = plan_arms(
            arms,
            scenarios=scenario_list,
            partners=partner_list,
            seats=seats,
            repeats=repeats,
            seed=seed,
            run=name
            or evaluation_name(
                {arm: given_name(given) for arm, given in arms.items()},
                scenarios=[given_name(given) for given in scenario_list],
                partners=[given_name(given) for given in partner_list],
                seed=seed,
            ),
        )
    if problems or plan is None:
        raise InputError(problems)
    compared = EvaluationMeasures(judge=judge_spec, reward=reward, seats=of_seats)
    address = database_address(db)
    with explaining_damage(address):
        return evaluate_arms(
            plan,
            compared,
            address,
            settings,
            requirements=plan_requirements(require, plan, compared),
            quality=quality,
            listen=evaluation_bar if settings.progress else _listen_quietly,
        )


def evaluate_arms(
    plan: ArmsPlan,
    measures: EvaluationMeasures,
    db: str,
    settings: JobSettings,
    *,
    requirements: Sequence[Requirement] = (),
    quality: int,
    listen: Callable[[], AbstractContextManager[EvaluationListener]],
) -> EvaluationReport:
    """Plays and judges what is missing of a plan, and compares its arms.

    Args:
        plan: the arms, and where they play.
        measures: what to compare by.
        db: the database's address; it is made where there is none.
        settings: of the job.
        requirements: what is to be checked.
        quality: replies of each arm that are read for perplexity and embeddings; 0: none.
        listen: opens who is told while it goes on.
    """
    with (
        settings.open_agents(plan.specs.values()) as agent_pool,
        open_store_for(agent_pool, db) as store,
    ):
        with listen() as listener:
            evaluation = evaluate_plan(
                plan,
                agent_pool,
                store,
                measures,
                retry_failed=settings.retry_failed,
                max_live=settings.max_live,
                cpu_threads=settings.cpu_threads,
                replies_read=quality,
                embed=load_sentence_encoder().encode if quality else None,
                on_playing=listener.on_playing,
                on_judging=listener.on_judging,
                server=settings.server,
                stopping=settings.stopping,
            )
        failures = failed_attempts(store, plan.run)
        judge_ids = scoring_ids(store, evaluation.judge_ids, plan.run)
        cautions = judge_warnings(store, judge_ids, run=plan.run)
    return EvaluationReport(
        evaluation=evaluation,
        db=db,
        failures=failures,
        cautions=tuple(cautions),
        outcomes=tuple(
            check_requirement(r, evaluation.paired(r.better, r.worse, r.measure))
            for r in requirements
        ),
    )


def plan_requirements(
    texts: Sequence[str], plan: ArmsPlan, measures: EvaluationMeasures
) -> tuple[Requirement, ...]:
    """What is required of a plan's arms, from its texts. Raises InputError with every problem."""
    return read_requirements(
        texts, arms=plan.arms, measures=measures.names(plan), main=measures.main_measure
    )


def read_measure(
    lexical: str | None, like: str | None, reward_of: str | None
) -> RewardSettings | None:
    """What utterances are measured by, if anything. Raises InputError."""
    given = {"--lexical": lexical, "--like": like, "--reward-of": reward_of}
    options = [option for option, value in given.items() if value is not None]
    if len(options) > 1:
        raise InputError(f"{' and '.join(options)} are {len(options)} measures; give one of them")
    if reward_of is not None:
        return read_planner_reward(load_planner(reward_of).info.data)
    try:
        if lexical is not None:
            return RewardSettings(measure="lexical", pattern=lexical)
        return RewardSettings(measure="embedding", text=like) if like is not None else None
    except ValidationError as error:
        raise InputError(
            [Problem(message=text, where=options[0]) for text in problem_texts(error)]
        ) from None


def read_seat_measures(names: Sequence[str]) -> tuple[MeasureSpec, ...]:
    """Measures of how a seat played, by name. Raises InputError with every problem."""
    specs: list[MeasureSpec] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        try:
            specs.append(MeasureSpec(measure=name))
        except ValidationError as error:
            problems.extend(Problem(message=t, where="--measure") for t in problem_texts(error))
    if problems:
        raise InputError(problems)
    return tuple(specs)


def _name_arms(
    agent: AgentLike,
    against: AgentLike | Sequence[AgentLike] | Mapping[str, AgentLike],
    problems: list[Problem],
) -> dict[str, AgentLike]:
    if isinstance(against, Mapping):
        others: dict[str, AgentLike] = dict(against)
    elif is_given_agent(against):
        others = {BASE_ARM: against}
    else:
        others = {PurePath(given_name(other)).stem: other for other in list_agents(against)}
    if STEERED_ARM in others:
        problems.append(
            Problem(f"against: the arm {STEERED_ARM!r} is the agent's own; call it otherwise")
        )
    return {**others, STEERED_ARM: agent}


@contextmanager
def _listen_quietly() -> Iterator[EvaluationListener]:
    yield EvaluationListener()
