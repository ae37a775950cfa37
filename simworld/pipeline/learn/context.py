"""What the stages of one loop share: its agents and scenarios, the store, the work folder, and who
is told how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents import LMSpec, LoadedSpec, agent_content, find_specs
from agents.lm.server.options import ServerFields
from agents.steering.checkpoint_folder import read_folder
from agents.steering.steering_spec import ExploreSpec, SteeringSpec
from scenarios import find_scenarios
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem
from simworld.core.progress import ReportProgress
from simworld.core.scenario import Scenario
from simworld.core.stopping import Stopping
from simworld.judging.judge_spec import JudgeSpec, load_judge
from simworld.pipeline.arms_plan import ArmsPlan
from simworld.pipeline.learn.learn_file import LearnFile
from simworld.yamlfile.fields import Seats
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """Everything the stages of one loop need."""

    file: LearnFile
    agent: LoadedSpec
    partners: Mapping[str, LoadedSpec]  # in the other seats while collecting, by name
    opponents: Mapping[str, LoadedSpec]  # in the other seats while evaluating
    train: tuple[Scenario, ...]
    test: tuple[Scenario, ...]
    reward_judge: JudgeSpec | None
    test_judge: JudgeSpec | None
    store: Store
    folder: Path
    live: int = 32
    retry_failed: bool = False  # play and judge again what failed, in the stages that are done now
    threads: int | None = None
    server: ServerFields | None = None  # of the command line, over what files say
    stopping: Stopping = field(default_factory=Stopping)  # of all stages of a command
    tell: ReportProgress = lambda done, total, what: None

    @property
    def model(self) -> LMSpec:
        """The spec of the agent that is steered."""
        assert isinstance(self.agent.spec, LMSpec)
        return self.agent.spec

    def plan(
        self,
        run: str,
        arms: Mapping[str, LoadedSpec],
        *,
        scenarios: tuple[Scenario, ...],
        partners: Mapping[str, LoadedSpec],
        seats: Seats,
        repeats: int,
    ) -> ArmsPlan:
        """The plan of some arms beside some partners."""
        specs = {loaded.spec.name: loaded for loaded in (*partners.values(), *arms.values())}
        return ArmsPlan(
            run=f"{self.file.name}-{run}",
            seed=self.file.seed,
            repeats=repeats,
            scenarios=scenarios,
            casts=(),
            specs=specs,
            arms={arm: loaded.spec.name for arm, loaded in arms.items()},
            partners=tuple(partners),
            seats=seats,
        )

    def steered(self, arm: str, planner: Path, explore: ExploreSpec | None = None) -> LoadedSpec:
        """The agent with a planner, named after the arm it is."""
        steering = SteeringSpec(planner=str(planner), explore=explore)
        spec = self.model.model_copy(
            update={"name": f"{self.model.name}-{arm}", "steering": steering}
        )
        return replace(self.agent, spec=spec, planner=read_folder(planner))

    def contents(self, agents: Mapping[str, LoadedSpec]) -> dict[str, Any]:
        """Agents by name as plain JSON data, for keys."""
        return {name: agent_content(loaded) for name, loaded in agents.items()}


def open_context(file: LearnFile, store: Store, folder: Path, **settings: Any) -> PipelineContext:
    """The shop of a file, everything it names found and checked. Raises InputError with all
    problems at once.
    """
    problems: list[Problem] = []

    def trying(find: Callable[[], Any]) -> Any:
        try:
            return find()
        except InputError as error:
            problems.extend(error.problems)
            return None

    agent = trying(lambda: find_specs([file.agent])[0])
    partners = trying(lambda: find_specs(list(dict.fromkeys(file.partners)))) or ()
    others = (
        trying(lambda: find_specs(list(dict.fromkeys(file.evaluate.partners or file.partners))))
        or ()
    )
    train = (
        trying(lambda: tuple(found.scenario for found in find_scenarios(file.scenarios.train)))
        or ()
    )
    test = (
        trying(lambda: tuple(found.scenario for found in find_scenarios(file.scenarios.test))) or ()
    )
    judged = file.reward.measure == "judged"
    reward_judge = trying(lambda: load_judge(file.judge)[0]) if judged else None
    test_judge = (
        trying(lambda: load_judge(file.evaluate.judge)[0]) if file.evaluate.judge else reward_judge
    )
    problems += _unfit(agent, train, test)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return PipelineContext(
        file=file,
        agent=agent,
        partners={loaded.spec.name: loaded for loaded in partners},
        opponents={loaded.spec.name: loaded for loaded in others},
        train=train,
        test=test,
        reward_judge=reward_judge,
        test_judge=test_judge,
        store=store,
        folder=folder,
        **settings,
    )


def _unfit(
    agent: LoadedSpec | None, train: tuple[Scenario, ...], test: tuple[Scenario, ...]
) -> list[Problem]:
    found = []
    if agent is not None:
        spec = agent.spec
        if not isinstance(spec, LMSpec) or spec.model.startswith("openai:"):
            found.append(
                f"agent {spec.name!r}: only an agent of a local model (builtin: or hf:) can be"
                " steered"
            )
        elif spec.steering is not None:
            found.append(
                f"agent {spec.name!r} is steered already; give the agent that is to be steered as"
                " it is without"
            )
    if shared := sorted({s.family for s in train} & {s.family for s in test}):
        named = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
        found.append(
            f"scenarios: {counted(len(shared), 'family is', 'families are')} in both train and test"
            f" ({named}); a planner is tested on others"
        )
    return [Problem(message=message) for message in found]
