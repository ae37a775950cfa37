"""What the stages of one loop share: its agents and scenarios, the store, the work folder, and who
is told how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents import LMSpec, LoadedSpec, agent_content, find_library_checkpoint, find_specs
from agents.lm.server.address import is_server_model
from agents.lm.server.options import ServerFields
from agents.steering.checkpoint_folder import PlannerFolder, read_folder
from agents.steering.steering_spec import ExploreSpec, SteeringSpec
from scenarios import find_scenarios
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.core.progress import ReportProgress
from simworld.core.scenario import Scenario
from simworld.core.stopping import StopTracker
from simworld.judging.judge_spec import JudgeSpec, load_judge
from simworld.pipeline.arms_plan import ArmsPlan
from simworld.pipeline.learn.learn_file import LearnFile
from simworld.pipeline.learn.stage_cache import StageState
from simworld.runner.agent_pool import AgentPool, load_agents
from simworld.training.data.dataset_query import RewardSettings
from simworld.yamlfile import join_with_and
from simworld.yamlfile.fields import SeatChoice
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineContext:
    """Everything the stages of one loop need."""

    file: LearnFile
    agent: LoadedSpec
    # in the other seats while collecting, by name; while evaluating
    partners: Mapping[str, LoadedSpec]
    opponents: Mapping[str, LoadedSpec]
    train_scenarios: tuple[Scenario, ...]
    test_scenarios: tuple[Scenario, ...]
    reward_judge: JudgeSpec | None
    test_judge: JudgeSpec | None
    store: Store
    folder: Path
    start: PlannerFolder | None = None  # the checkpoint of the file's `start`
    max_live: int = 32
    retry_failed: bool = False  # play and judge again what failed, in the stages that are done now
    cpu_threads: int | None = None
    server: ServerFields | None = None  # of the command line, over what files say
    stopping: StopTracker = field(default_factory=StopTracker)  # of all stages of a command
    on_progress: ReportProgress = lambda done, total, what: None
    warn: Callable[[str], None] = lambda text: None  # told what speaks against a stage's settings

    @property
    def model(self) -> LMSpec:
        """The spec of the agent that is steered."""
        assert isinstance(self.agent.spec, LMSpec)
        return self.agent.spec

    def run_name(self, label: str) -> str:
        """The run of the stage with this label."""
        return f"{self.file.work_name}-{label}"

    def arms_plan(
        self,
        label: str,
        arms: Mapping[str, LoadedSpec],
        *,
        scenarios: tuple[Scenario, ...],
        partners: Mapping[str, LoadedSpec],
        seats: SeatChoice,
        repeats: int,
    ) -> ArmsPlan:
        """The plan of some arms beside some partners, in the run of the stage with this label."""
        specs = {loaded.spec.name: loaded for loaded in (*partners.values(), *arms.values())}
        return ArmsPlan(
            run=self.run_name(label),
            seed=self.file.seed,
            repeats=repeats,
            scenarios=scenarios,
            casts=(),
            specs=specs,
            arms={arm: loaded.spec.name for arm, loaded in arms.items()},
            partners=tuple(partners),
            seats=seats,
        )

    def open_agents(self, plan: ArmsPlan) -> AbstractContextManager[AgentPool]:
        """The agents of a plan, their models loaded on use."""
        return load_agents(
            plan.specs.values(),
            batch_size=self.max_live,
            cpu_threads=self.cpu_threads,
            server=self.server,
        )

    def steered_agent(
        self, arm: str, planner: Path, explore: ExploreSpec | None = None
    ) -> LoadedSpec:
        """The agent with a planner, named after the arm it is."""
        steering = SteeringSpec(planner=str(planner), explore=explore)
        spec = self.model.model_copy(
            update={"name": f"{self.model.name}-{arm}", "steering": steering}
        )
        return replace(self.agent, spec=spec, planner=read_folder(planner))

    def prompted_agent(self, arm: str, sentence: str) -> LoadedSpec:
        """The agent without a planner, told one sentence more, named after the arm it is."""
        assert self.agent.template is not None
        told = "\n".join(filter(None, (self.agent.template.addition, sentence)))
        return replace(
            self.agent,
            spec=self.model.model_copy(update={"name": f"{self.model.name}-{arm}"}),
            template=self.agent.template.model_copy(update={"addition": told}),
        )

    def reward(self, standards: Sequence[StageState]) -> RewardSettings:
        """The file's reward; its rules as the standards' file has them, if there is one."""
        if not standards:
            return self.file.reward
        return RewardSettings.model_validate_json(standards[0].path.read_text("utf-8"))

    def agent_contents(self, agents: Mapping[str, LoadedSpec]) -> dict[str, Any]:
        """Agents by name as plain JSON data, for keys."""
        return {name: agent_content(loaded) for name, loaded in agents.items()}


def open_context(file: LearnFile, store: Store, folder: Path, **settings: Any) -> PipelineContext:
    """The context of a file, everything it names found and checked. Raises InputError with all
    problems at once.
    """
    problems: list[Problem] = []

    def attempt(find: Callable[[], Any]) -> Any:
        with collecting_problems(problems):
            return find()
        return None

    def scenarios(names: Sequence[str]) -> tuple[Scenario, ...]:
        return attempt(lambda: tuple(loaded.scenario for loaded in find_scenarios(names))) or ()

    def agents(names: Sequence[str]) -> dict[str, LoadedSpec]:
        specs = attempt(lambda: find_specs(list(dict.fromkeys(names)))) or ()
        return {loaded.spec.name: loaded for loaded in specs}

    agent = attempt(lambda: find_specs([file.agent])[0])
    partners = agents(file.partners)
    opponents = agents(file.evaluate.partners or file.partners)
    train, test = scenarios(file.scenarios.train), scenarios(file.scenarios.test)
    is_judged = file.reward.measure == "judged"
    reward_judge = attempt(lambda: load_judge(file.judge)[0]) if is_judged else None
    test_judge = (
        attempt(lambda: load_judge(file.evaluate.judge)[0]) if file.evaluate.judge else reward_judge
    )
    start = attempt(lambda: find_library_checkpoint(file.start)) if file.start else None
    if start is not None:
        problems += _check_start(file, start)
    if any(rule.of == "partner_next" for rule in file.reward.rules):
        problems += [
            Problem(
                message=f"reward.rules: of 'partner_next' needs scenarios of two seats;"
                f" {scenario.name!r} has {len(scenario.seats)}"
            )
            for scenario in (*train, *test)
            if len(scenario.seats) != 2
        ]
    problems += _check_rule_kinds(file.reward, train)
    problems += _check_learnable(agent, train, test)
    if problems:
        raise InputError(dict.fromkeys(problems))
    return PipelineContext(
        file=file,
        agent=agent,
        partners=partners,
        opponents=opponents,
        train_scenarios=train,
        test_scenarios=test,
        reward_judge=reward_judge,
        test_judge=test_judge,
        store=store,
        folder=folder,
        start=start,
        **settings,
    )


def _check_rule_kinds(reward: RewardSettings, train: tuple[Scenario, ...]) -> list[Problem]:
    """A rule for kinds of scenarios that there are none of never applies."""
    kinds = sorted({scenario.kind for scenario in train if scenario.kind})
    return [
        Problem(
            message=f"reward.rules.{number}: no training scenario is of kind"
            f" {' or '.join(rule.when.kind)}, so the rule never applies; they are"
            f" {join_with_and(kinds) if kinds else 'of no kind'}"
        )
        for number, rule in enumerate(reward.rules)
        if train and rule.when.kind and not set(rule.when.kind) & set(kinds)
    ]


def _check_start(file: LearnFile, start: PlannerFolder) -> list[Problem]:
    """What the checkpoint that a file begins with lacks for what the file asks of it."""
    info, messages = start.info, []
    latent = info.upmap == "latent"
    if "clone" in file.arms and not (info.has_policy or latent or file.latent is not None):
        messages.append("it is an up-mapping alone, so there is no arm 'clone'; leave that out")
    if file.collect.explore.kind == "ways" and not info.ways and file.latent is None:
        messages.append(
            "it knows no ways of replying to try; make some with `simworld train latent`"
        )
    if file.states and info.actor is not None and not latent:
        messages.append("its planner reads other states than `states` makes; remove `states`")
    return [Problem(message=f"start: {file.start}: {message}") for message in messages]


def _check_learnable(
    agent: LoadedSpec | None, train: tuple[Scenario, ...], test: tuple[Scenario, ...]
) -> list[Problem]:
    messages = []
    if agent is not None:
        spec = agent.spec
        if not isinstance(spec, LMSpec) or is_server_model(spec.model):
            messages.append(
                f"agent {spec.name!r}: only an agent of a local model (builtin: or hf:) can be"
                " steered"
            )
        elif spec.steering is not None:
            messages.append(
                f"agent {spec.name!r} is steered already; give the agent that is to be steered as"
                " it is without"
            )
    if shared := sorted({s.family for s in train} & {s.family for s in test}):
        shown = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
        messages.append(
            f"scenarios: {counted(len(shared), 'family is', 'families are')} in both train and test"
            f" ({shown}); a planner is tested on others"
        )
    return [Problem(message=message) for message in messages]
