"""The plan of an evaluation: every arm in the same scenarios and seats, beside the same partners,
with the same random numbers; and what the arms are compared by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents import HumanSpec, LoadedSpec
from simworld.core.episode import WorkItem
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.core.measures import OVERALL
from simworld.core.scenario import Scenario
from simworld.judging.judge import scored_dimension_names
from simworld.judging.judge_spec import JudgeSpec
from simworld.results.arms import ArmSeat
from simworld.results.seat_measures import MeasureSpec
from simworld.runner.given import (
    AgentLike,
    ScenarioLike,
    find_given_agents,
    find_given_scenarios,
)
from simworld.runner.run_plan import RunPlan
from simworld.training.data.dataset_query import RewardSettings
from simworld.yamlfile.fields import SeatChoice

BASE_ARM = "base"
FOCUS_ARMS = ("planner", "steered")  # the arm that is compared with all others, by convention


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmsPlan(RunPlan):
    """A run in which arms take turns in a seat while partners hold the others.

    Episodes of one scenario and repeat have one seed, whoever plays: the arms share their random
    numbers.
    """

    arms: Mapping[str, str]  # arm → agent name
    partners: tuple[str, ...]  # agent names
    seats: SeatChoice

    @property
    def base_arm(self) -> str:
        """The arm that the others are compared with: `base`, else the first."""
        return BASE_ARM if BASE_ARM in self.arms else next(iter(self.arms))

    @property
    def focus_arm(self) -> str:
        """The arm that is compared with all others: `planner` or `steered`, else the last."""
        return next((name for name in FOCUS_ARMS if name in self.arms), tuple(self.arms)[-1])

    def arm_seatings(self) -> Iterator[tuple[str, Scenario, str, str, dict[str, str]]]:
        """Arm, scenario, the arm's seat, partner, and seat → agent name."""
        for scenario in self.scenarios:
            names = [seat.name for seat in scenario.seats]
            arm_seats = {"both": names, "first": names[:1], "second": names[1:2]}[self.seats]
            for seat in arm_seats:
                for partner in self.partners:
                    for arm, agent in self.arms.items():
                        seating = {name: agent if name == seat else partner for name in names}
                        yield arm, scenario, seat, partner, seating

    def seatings(self) -> list[tuple[Scenario, dict[str, str]]]:
        """Each scenario with each of its casts; where two arms cast alike, once in the end."""
        return [(scenario, seating) for _, scenario, _, _, seating in self.arm_seatings()]

    def arm_seats(self, agent_ids: Mapping[str, str]) -> dict[str, list[ArmSeat]]:
        """Arm → where it plays; `agent_ids` are those of the agents, by name."""
        seats_by_arm: dict[str, list[ArmSeat]] = {arm: [] for arm in self.arms}
        for arm, scenario, seat, partner, seating in self.arm_seatings():
            cast = {name: agent_ids[agent] for name, agent in seating.items()}
            for repeat in range(self.repeats):
                item = WorkItem(run=self.run, scenario_id=scenario.id, cast=cast, repeat=repeat)
                arm_seat = ArmSeat(
                    family=scenario.family,
                    scenario=scenario.id,
                    seat=seat,
                    partners=(partner,) * (len(seating) - 1),
                    repeat=repeat,
                    item_key=item.key,
                )
                seats_by_arm[arm].append(arm_seat)
        return seats_by_arm


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationMeasures:
    """The measures of an evaluation: a judge's dimensions, a number measured on the utterances, or
    both.
    """

    judge: JudgeSpec | None = None
    reward: RewardSettings | None = None  # any but judged
    seats: tuple[MeasureSpec, ...] = ()  # of how a seat played, beside these

    @property
    def main_measure(self) -> str:
        """The measure that decides: `overall` of the judge, else what is measured."""
        if self.judge is None and self.reward is not None:
            return self.reward.measure
        return self.seats[0].measure if self.judge is None and self.seats else OVERALL

    def names(self, plan: ArmsPlan) -> tuple[str, ...]:
        """The names of everything that will be compared. Raises InputError for a rubric that cannot
        be read.
        """
        names: list[str] = []
        if self.judge is not None:
            names = [OVERALL, *scored_dimension_names(self.judge, plan.scenarios)]
        of_reward = () if self.reward is None else self.reward.measures
        return (*names, *of_reward, *(spec.measure for spec in self.seats))


def evaluation_name(
    arms: Mapping[str, str], *, scenarios: Sequence[str], partners: Sequence[str], seed: int
) -> str:
    """The name of a run that was given none, made of the names as they were written alone: after an
    edit the same command finds its run, and is told what has changed.
    """
    text = repr((sorted(arms.items()), sorted(scenarios), sorted(partners), seed))
    return f"evaluate-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def plan_arms(
    arms: Mapping[str, AgentLike],
    *,
    scenarios: Sequence[ScenarioLike],
    partners: Sequence[AgentLike],
    seats: SeatChoice = "both",
    repeats: int = 1,
    seed: int = 0,
    run: str,
) -> ArmsPlan:
    """The plan of arms and partners given by names, files or specs, in scenarios given as for
    `simworld run`.

    Raises:
        InputError: everything wrong with arms, partners and scenarios at once.
    """
    problems: list[Problem] = []
    if len(arms) < 2:
        message = (
            f"{len(arms)} arm is given; a comparison needs two: --agents base=AGENT,steered=AGENT"
        )
        problems.append(Problem(message=message))
    if not partners:
        problems.append(Problem(message="no partner is given; use --partners AGENT"))
    if not scenarios:
        problems.append(
            Problem(
                message="no scenario is given; use --scenarios NAME (a name, file, folder or glob)"
            )
        )
    found_scenarios: tuple[Scenario, ...] = ()
    with collecting_problems(problems):
        found_scenarios = find_given_scenarios(scenarios) if scenarios else ()
    agents: tuple[LoadedSpec, ...] = ()
    with collecting_problems(problems):
        agents = find_given_agents([*arms.values(), *partners])
    agent_by_arm = dict(zip(arms, agents, strict=False))  # none where an agent is wrong
    for arm, loaded in agent_by_arm.items():
        if isinstance(loaded.spec, HumanSpec):
            problems.append(
                Problem(message=f"arm {arm!r} is a person; an evaluation plays by itself")
            )
    if problems:
        raise InputError(dict.fromkeys(problems))
    return ArmsPlan(
        run=run,
        seed=seed,
        repeats=repeats,
        scenarios=found_scenarios,
        casts=(),
        specs={loaded.spec.name: loaded for loaded in agents},
        arms={arm: loaded.spec.name for arm, loaded in agent_by_arm.items()},
        partners=tuple(dict.fromkeys(loaded.spec.name for loaded in agents[len(arms) :])),
        seats=seats,
    )
