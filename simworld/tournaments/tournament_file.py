"""What a tournament file says, validated."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from simworld.judging.judge_spec import DEFAULT_JUDGE
from simworld.yamlfile.fields import Count, Repeats, SeatChoice
from simworld.yamlfile.json_schema import json_schema

Rounds = Annotated[int, Field(ge=1, le=1_000)]
Format = Literal["round_robin", "fixed_partner", "focal", "swiss"]


class _TournamentPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(_TournamentPart):
    """What one command may use for playing; conversations under way when it is spent are
    finished.
    """

    episodes: Count | None = Field(default=None, description="To begin.")
    tokens: Count | None = Field(default=None, description="Written by models.")
    minutes: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Of playing, without judging."
    )


class TournamentFile(_TournamentPart):
    """A tournament."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Of its run in the database.")
    title: str = ""
    agents: tuple[str, ...] = Field(min_length=1, description="Who is compared: names, or files.")
    scenarios: tuple[str, ...] = Field(
        min_length=1,
        description=(
            "Names, files, folders, globs, tag:NAME, kind:NAME, `library`, `heldout` or `exam`."
        ),
    )
    format: Format = Field(
        default="round_robin",
        description=(
            "round_robin: each agent beside each agent. fixed_partner: each agent beside each of"
            " `partners`. focal: `focal` beside each agent, and each agent beside it. swiss:"
            " `rounds` rounds of pairs of equal strength."
        ),
    )
    partners: tuple[str, ...] = Field(
        default=(), description="fixed_partner: who holds the other seats."
    )
    focal: str = Field(
        default="", description="focal: the agent that all others are measured against."
    )
    rounds: Rounds | None = Field(default=None, description="swiss: how many.")
    self_play: bool = Field(
        default=True,
        description=(
            "Also each agent beside itself, so that all meet the same partners; two agents have no"
            " game without it."
        ),
    )
    seats: SeatChoice = Field(
        default="both", description="Where agents are compared; both: in every seat of a scenario."
    )
    repeats: Repeats = Field(default=1, description="Episodes per scenario and cast.")
    seed: int = Field(default=0, ge=0, description="All randomness derives from it.")
    judges: tuple[str, ...] = Field(
        default=(DEFAULT_JUDGE,),
        min_length=1,
        description="Shipped judges' names, or files; standings are of each alone.",
    )
    dimensions: tuple[str, ...] = Field(default=(), description="Of the rubric; default: all.")
    anchor: str = Field(
        default="", description="The agent with 1000 points; default: the mean of all has them."
    )
    tie: Literal["measured"] | FiniteFloat | None = Field(
        default=None,
        description=(
            "A difference of scores (shares of their range, 0 to 1) below it is a tie. measured:"
            " the standard deviation of the difference of two samples of the judge, which must take"
            " two or more. Default: measured where all judges do, else only equal scores tie."
        ),
    )
    budget: Budget = Budget()


def tournament_schema_text() -> str:
    """The JSON Schema of a tournament file, as text."""
    schema = json_schema(TournamentFile, "simworld tournament")
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
