"""What a learn file says, validated."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from agents.steering.steering_spec import ExploreSpec
from simworld.core.requests import Position
from simworld.training.cloning.reply_encoder import size_problem
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.rl.train_planner import PlannerSettings
from simworld.yamlfile.fields import Count, Repeats, SeatChoice

ArmName = Literal["base", "clone", "random", "explorer", "constant", "planner"]
ARM_NAMES: tuple[ArmName, ...] = get_args(ArmName)
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


class EvaluateStage(_LearnPart):
    """The arms against each other on the test scenarios."""

    arms: tuple[ArmName, ...] = Field(
        default=(),
        description=(
            "Default: all there are. `explorer` plays as the data were collected, `random` in any"
            " direction."
        ),
    )
    judge: str = Field(
        default="",
        description="A judge's name or file; empty: the reward itself, or the judge of the reward.",
    )
    partners: tuple[str, ...] = Field(default=(), description="Default: those of collecting.")
    seats: SeatChoice = "both"
    repeats: Repeats = 1
    quality: int = Field(
        default=100,
        ge=0,
        description="Replies of each arm that are read for its language; 0: none.",
    )


class LearnFile(_LearnPart):
    """A whole loop."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Of its runs and of its work folder."
    )
    title: str = ""
    agent: str = Field(description="The agent to steer; a local model, not steered itself.")
    partners: tuple[str, ...] = Field(min_length=1, description="Agents in the other seats.")
    scenarios: ScenarioSelectionFields
    seed: int = Field(default=0, ge=0)
    replies: Count = Field(
        default=1,
        description="Repeats of unsteered episodes on the training scenarios, to clone from.",
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
    reward: RewardSettings
    judge: str = Field(default="smol-statements", description="Of a judged reward.")
    train: PlannerSettings = PlannerSettings()
    evaluate: EvaluateStage = EvaluateStage()

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The arms that are evaluated."""
        explores = self.collect.explore != RANDOM_EXPLORATION
        available = {"clone": self.clone is not None, "explorer": explores}
        return self.evaluate.arms or tuple(arm for arm in ARM_NAMES if available.get(arm, True))

    @property
    def steered_arms(self) -> tuple[ArmName, ...]:
        """Those of them that play with a checkpoint."""
        return tuple(arm for arm in self.arms if arm != "base")

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.latent is not None and self.clone is None:
            raise ValueError(
                "latent: an up-mapping of this kind is made around a clone's prefix; remove `clone:"
                " null`"
            )
        if "clone" in self.evaluate.arms and self.clone is None:
            raise ValueError(
                "there is no clone to evaluate; remove it from the arms, or remove `clone: null`"
            )
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
