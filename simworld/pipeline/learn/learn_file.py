"""What a learn file says, validated."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from agents.steering.steering_spec import ExploreSpec
from simworld.core.requests import Position
from simworld.language import PROMPT_SLOT
from simworld.results.seat_measures import MeasureSpec, check_distinct
from simworld.training.cloning.reply_encoder import size_problem
from simworld.training.data.dataset_query import RemadeStates, RewardSettings
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.yamlfile.fields import Count, Repeats, SeatChoice

DefaultArm = Literal["base", "clone", "random", "explorer", "constant", "planner"]
ControlArm = Literal["ridge", "clock", "gamma0", "blind"]  # of the planner
ArmName = Literal[DefaultArm, ControlArm, "prompted"]
DEFAULT_ARMS: tuple[DefaultArm, ...] = get_args(DefaultArm)
CONTROL_ARMS: tuple[ControlArm, ...] = get_args(ControlArm)
ARM_NAMES: tuple[ArmName, ...] = (*DEFAULT_ARMS, *CONTROL_ARMS, "prompted")
MAX_SENTENCE = 300  # characters
RANDOM_EXPLORATION = ExploreSpec(kind="random")


class _LearnPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioSelectionFields(_LearnPart):
    """Scenarios by names, files, folders, globs, tag:NAME, `library`, `heldout` or `exam`; families
    of one part must not be in the other.
    """

    train: tuple[str, ...] = Field(min_length=1, description="To collect on.")
    test: tuple[str, ...] = Field(min_length=1, description="To evaluate on.")


class ReplyTrainingFields(_LearnPart):
    """Gradient descent on stored replies."""

    steps: Count = 160
    batch_size: Count = 2
    lr: PositiveFloat = 0.006
    replies: Count = Field(default=240, description="To learn from, at most.")
    tested: Count = Field(default=60, description="To measure on, at most.")


class LatentStage(ReplyTrainingFields):
    """An up-mapping whose directions are ways of replying, made around the clone's prefix from
    stored replies.
    """

    steps: Count = 120
    batch_size: Count = 8
    replies: Count = Field(default=700, description="To learn from, at most.")
    size: Count = Field(default=32, description="Directions; actions have one number more.")
    ways: Count = Field(default=24, description="Ways of replying to know, at most.")
    strength: PositiveFloat = Field(
        default=4.0, description="Of a direction to begin with, in lengths of an embedding."
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if problem := size_problem(self.size, self.replies):
            raise ValueError(problem)
        return self


class UpmapStage(_LearnPart):
    """From actions to prefixes."""

    tokens: Count = Field(default=4, description="L, the number of prefix embeddings.")
    action_size: Count = Field(default=32, description="d', the numbers of an action.")
    mode: Literal["groups", "repeated"] = "groups"
    position: Position = "end"
    act_norm: PositiveFloat = 1.0
    text_encoder: str = Field(
        default="",
        description=(
            "A sentence encoder for states, as builtin:all-minilm-l6-v2; default: the model's own."
        ),
    )


class CloneStage(ReplyTrainingFields):
    """A planner that changes nothing, to start from."""

    loss: Literal["kl", "ce"] = "kl"
    train_upmap: bool = False
    reach: float = Field(
        default=0.2, ge=0, description="With train_upmap: the reach to hold, in nats per token."
    )
    reach_weight: float = Field(default=3.0, ge=0)


class CollectStage(_LearnPart):
    """Episodes to learn from: an exploring agent beside the partners."""

    repeats: Repeats = 1
    seats: SeatChoice = "both"
    self_play: bool = Field(
        default=False,
        description=(
            "It explores in all seats at once, without partners: more to learn from each episode."
        ),
    )
    explore: ExploreSpec = RANDOM_EXPLORATION
    keep: float = Field(
        default=1 / 3,
        gt=0,
        lt=1,
        description=(
            "Ways, in rounds: the share of those tried, the most rewarded, that is tried again,"
            " beside the neutral action."
        ),
    )
    share: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description=(
            "Ways, from the second round on: their cosine with the neutral action, less is"
            " stronger. Default: as they are."
        ),
    )


class PromptedStage(_LearnPart):
    """Instructions in place of a planner, written beforehand; the best of them is an arm."""

    sentences: tuple[str, ...] = Field(
        min_length=1,
        max_length=5,
        description="One instruction each, with {{name}} for the seat that is told.",
    )
    repeats: Repeats = Field(default=1, description="Of each on the training scenarios.")

    @field_validator("sentences")
    @classmethod
    def _check_sentences(cls, sentences: tuple[str, ...]) -> tuple[str, ...]:
        for text in sentences:
            if not text.strip() or "\n" in text.strip() or len(text) > MAX_SENTENCE:
                raise ValueError(
                    f"a sentence is one line of 1 to {MAX_SENTENCE} characters, found {text!r}"
                )
            if slots := set(PROMPT_SLOT.findall(text)) - {"name"}:
                raise ValueError(
                    f"a sentence has no slot but {{{{name}}}}, found {{{{{min(slots)}}}}}"
                )
        stripped = tuple(text.strip() for text in sentences)
        if len(set(stripped)) < len(stripped):
            raise ValueError("two sentences are the same")
        return stripped


class EvaluateStage(_LearnPart):
    """The arms against each other on the test scenarios."""

    arms: tuple[ArmName, ...] = Field(
        default=(),
        description=(
            "Default: base, clone, random, explorer, constant, planner, as far as there are such."
            " `explorer` plays as the data were collected, `random` in any direction."
        ),
    )
    prompted: PromptedStage | None = Field(
        default=None, description="What the arm `prompted` is told."
    )
    judge: str = Field(
        default="",
        description="A judge's name or file; empty: the reward itself, or the judge of the reward.",
    )
    partners: tuple[str, ...] = Field(default=(), description="Default: those of collecting.")
    seats: SeatChoice = "both"
    repeats: Repeats = 1
    measures: tuple[MeasureSpec, ...] = Field(
        default=(),
        description=(
            "How a seat played, beside what decides: words, questions, repeats, or installed"
            " extensions."
        ),
    )
    quality: int = Field(
        default=100,
        ge=0,
        description="Replies of each arm that are read for its language; 0: none.",
    )

    @field_validator("measures")
    @classmethod
    def _check_measures(cls, measures: tuple[MeasureSpec, ...]) -> tuple[MeasureSpec, ...]:
        check_distinct(measures)
        return measures

    @model_serializer(mode="wrap")
    def _without_measures(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the measures out where there are none: evaluations keep their keys."""
        content: dict[str, Any] = serialize(self)
        if not self.measures:
            content.pop("measures", None)
        return content


class LearnFile(_LearnPart):
    """A whole loop."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Of its runs and of its work folder."
    )
    title: str = ""
    work: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9._-]*)?$",
        description=(
            "Whose runs and work folder it shares: files with one `work` do the stages that are"
            " the same in them once. Default: its own name."
        ),
    )
    agent: str = Field(description="The agent to steer; a local model, not steered itself.")
    partners: tuple[str, ...] = Field(min_length=1, description="Agents in the other seats.")
    scenarios: ScenarioSelectionFields
    seed: int = Field(default=0, ge=0)
    replies: Count = Field(
        default=1,
        description="Repeats of unsteered episodes on the training scenarios, to clone from.",
    )
    start: str = Field(
        default="",
        description=(
            "A checkpoint to begin with, a folder here or of the library, in place of `upmap` and"
            " `clone`: with its planner, or neutral where its up-mapping is latent."
        ),
    )
    upmap: UpmapStage = UpmapStage()
    clone: CloneStage | None = CloneStage()
    latent: LatentStage | None = Field(default=None, description="Needs a clone.")
    rounds: Count = Field(
        default=1,
        description=(
            "Of collecting, and learning from its episodes. With noise each one explores around the"
            " planner of the round before and begins with it; with ways each one tries those again"
            " that were rewarded most, and the last one trains."
        ),
    )
    collect: CollectStage = CollectStage()
    states: RemadeStates = Field(
        default="",
        description=(
            "What the planner reads, `lines:` and a sentence encoder: its own last words and those"
            " that it heard. Default: what the up-mapping's checkpoint says, the model's state."
        ),
    )
    reward: RewardSettings
    judge: str = Field(default="smol-statements", description="Of a judged reward.")
    train: PlannerSettings = PlannerSettings()
    evaluate: EvaluateStage = EvaluateStage()

    @property
    def work_name(self) -> str:
        """The name of its runs, and of its work folder."""
        return self.work or self.name

    @property
    def has_clone(self) -> bool:
        """Whether there is a policy that changes nothing, to start from."""
        return bool(self.start) or self.clone is not None

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The arms that are evaluated."""
        explores = self.collect.explore != RANDOM_EXPLORATION
        available = {"clone": self.has_clone, "explorer": explores}
        return self.evaluate.arms or tuple(arm for arm in DEFAULT_ARMS if available.get(arm, True))

    @property
    def steered_arms(self) -> tuple[ArmName, ...]:
        """Those of them that play with a checkpoint."""
        return tuple(arm for arm in self.arms if arm not in ("base", "prompted"))

    @property
    def control_settings(self) -> dict[ControlArm, PlannerSettings]:
        """What those controls are trained with that learn from the planner's data."""
        train = self.train
        controls: dict[ControlArm, PlannerSettings] = {}
        if "ridge" in self.arms:
            controls["ridge"] = PlannerSettings(
                learner="ridge",
                scale_rewards=train.scale_rewards,
                sees=train.sees,
                loop=LoopSettings(seed=train.loop.seed),
            )
        if "clock" in self.arms:
            controls["clock"] = train.model_copy(update={"sees": "turns_left"})
        if "gamma0" in self.arms:
            controls["gamma0"] = train.with_gamma(0)
        return controls

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.start and (made := sorted({"upmap", "clone"} & self.model_fields_set)):
            raise ValueError(
                f"start: the checkpoint has an up-mapping and a clone; remove {' and '.join(made)}"
            )
        if self.latent is not None and not self.has_clone:
            raise ValueError(
                "latent: an up-mapping of this kind is made around a clone's prefix; remove `clone:"
                " null`"
            )
        if "clone" in self.evaluate.arms and not self.has_clone:
            raise ValueError(
                "there is no clone to evaluate; remove it from the arms, or remove `clone: null`"
            )
        self._check_controls()
        if self.rounds > 1 and self.collect.explore.kind == "random":
            raise ValueError(
                "rounds: random directions are the same in every round; explore around the planner"
                " of the round before, say `collect: {explore: {kind: noise, sigma: 0.2}}`, or ways"
                " of a latent up-mapping, `{kind: ways, per: episode}`"
            )
        if self.collect.model_fields_set & {"keep", "share"} and not (
            self.rounds > 1 and self.collect.explore.kind == "ways"
        ):
            raise ValueError(
                "collect.keep, collect.share: only rounds of ways have a use for them; say `rounds:"
                " 2` or more"
            )
        if self.collect.self_play and any(r.of == "partner_next" for r in self.reward.rules):
            raise ValueError(
                "reward.rules: of 'partner_next' needs partners who do not explore, for what they"
                " say is the reward; remove `self_play: true`"
            )
        if len(self.arms) < 2:
            raise ValueError("evaluate.arms: a comparison needs two arms")
        return self

    def _check_controls(self) -> None:
        arms = self.evaluate.arms
        controls = [arm for arm in CONTROL_ARMS if arm in arms]
        if controls and "planner" not in arms:
            raise ValueError(
                f"evaluate.arms: {', '.join(controls)}: what a planner is compared with; add"
                " 'planner'"
            )
        if "gamma0" in arms and not self.train.plans_ahead:
            raise ValueError(
                "evaluate.arms: 'gamma0' is the planner with γ 0, and the learner"
                f" {self.train.learner!r} of this file plans with no other; remove the arm, or give"
                " the learner a gamma above 0"
            )
        if "prompted" in arms and self.evaluate.prompted is None:
            raise ValueError(
                "evaluate.arms: 'prompted' needs sentences to choose from; add `prompted:"
                " {sentences: ['{{name}} says thank you.']}` to evaluate"
            )
        if "prompted" not in arms and self.evaluate.prompted is not None:
            raise ValueError(
                "evaluate.prompted: no arm is told these sentences; add 'prompted' to evaluate.arms"
            )
