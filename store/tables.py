"""The tables, each column with the comment that `simworld db info --columns` prints: this file is
the codebook.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.column_types import Json, SeedText, StorableText, Utc

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables share one metadata, whose constraints have names: SQLite's migrations need
    them.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: StorableText,
        datetime: Utc,
        float: Float,
        int: Integer,
        bool: Boolean,
        bytes: LargeBinary,
    }


def column(comment: str, *args: Any, **kwargs: Any) -> Any:
    """A column with its line of the codebook."""
    return mapped_column(*args, comment=comment, **kwargs)


def episode_key() -> Any:
    """The first part of a key: the episode that a row belongs to, and goes with."""
    return column("the episode", ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True)


class ScenarioRow(Base):
    """What was played: content by its hash; the details that neither seats nor engine read are
    those of the last run.
    """

    __tablename__ = "scenarios"
    id: Mapped[str] = column(
        "versioned hash of what the seats and the engine read", primary_key=True
    )
    name: Mapped[str] = column("name in the file it came from", index=True)
    title: Mapped[str] = column("title for people")
    family: Mapped[str] = column(
        "statistical unit: scenarios that are variants of one idea", index=True
    )
    kind: Mapped[str] = column("bargaining, persuasion, ...; may be empty")
    tags: Mapped[Any] = column("list of words", Json)
    rubric: Mapped[str] = column("rubric the scenario asks to be judged by")
    judge_note: Mapped[str] = column("background for the judge alone")
    meta: Mapped[Any] = column("where the scenario came from: text by text", Json)
    content: Mapped[Any] = column(
        "setting, seats with personas, relationships, order, limits, checks", Json
    )


class AgentRow(Base):
    """Who can speak: the resolved spec by its hash."""

    __tablename__ = "agents"
    id: Mapped[str] = column(
        "hash of the resolved spec with the content of model, prompt and planner", primary_key=True
    )
    name: Mapped[str] = column("name when first stored", index=True)
    spec: Mapped[Any] = column("the resolved spec", Json)


class RunRow(Base):
    """A named set of work items."""

    __tablename__ = "runs"
    name: Mapped[str] = column("name of the run", primary_key=True)
    seed: Mapped[int] = column(
        "seed from which every episode's seed derives, as decimal text", SeedText
    )
    code_version: Mapped[str] = column("version of simworld that began the run")
    created: Mapped[datetime] = column("when the run was begun, UTC")
    settings: Mapped[Any] = column("options of the run", Json)
    profile: Mapped[Any | None] = column("what the run took: times and counts", Json, nullable=True)


class RunAgentRow(Base):
    """Which agent a name means in a run; a resume with other content under the same name is
    refused.
    """

    __tablename__ = "run_agents"
    run: Mapped[str] = column(
        "the run", ForeignKey("runs.name", ondelete="CASCADE"), primary_key=True
    )
    agent_name: Mapped[str] = column("name of the agent in this run", primary_key=True)
    agent_id: Mapped[str] = column("the agent", ForeignKey("agents.id"), index=True)


class WorkItemRow(Base):
    """What a run plans: one row per episode to play, whether played or not."""

    __tablename__ = "work_items"
    key: Mapped[str] = column("hash of run, scenario, cast and repeat", primary_key=True)
    run: Mapped[str] = column("the run", ForeignKey("runs.name", ondelete="CASCADE"), index=True)
    scenario_id: Mapped[str] = column("the scenario", ForeignKey("scenarios.id"), index=True)
    scenario_name: Mapped[str] = column("name of the scenario in this run")
    family: Mapped[str] = column("family of the scenario in this run")
    casting: Mapped[Any] = column("agent id by seat", Json)
    repeat: Mapped[int] = column("repeat, from 0")


class EpisodeRow(Base):
    """One conversation: an attempt at a work item."""

    __tablename__ = "episodes"
    __table_args__ = (
        UniqueConstraint("run", "item_key", "attempt"),
        Index(None, "ended", "id"),
        Index(None, "run", "ended", "id"),
        Index(None, "run", "scenario_id", "ended", "id"),
        Index(None, "ending", "ended", "id"),
    )
    id: Mapped[str] = column("hash of the work item and the attempt", primary_key=True)
    run: Mapped[str] = column("the run", ForeignKey("runs.name", ondelete="CASCADE"))
    item_key: Mapped[str] = column(
        "the work item", ForeignKey("work_items.key", ondelete="CASCADE"), index=True
    )
    attempt: Mapped[int] = column("attempt at the work item, from 1")
    scenario_id: Mapped[str] = column("the scenario", ForeignKey("scenarios.id"), index=True)
    scenario_name: Mapped[str] = column("name of the scenario in this run", index=True)
    family: Mapped[str] = column("family of the scenario in this run", index=True)
    repeat: Mapped[int] = column("repeat, from 0")
    seed: Mapped[int] = column("seed of the episode, as decimal text", SeedText)
    ending: Mapped[str] = column("terminated, turn_limit or failed")
    reason: Mapped[str] = column("left, silence, check:<name>, turn_limit, or the failure's kind")
    failure_boundary: Mapped[str | None] = column(
        "who failed: model, reply, agent, human, engine; null unless failed"
    )
    failure_kind: Mapped[str | None] = column(
        "a stable word: timeout, too-long, ...; null unless failed"
    )
    failure_message: Mapped[str | None] = column("one line for people; null unless failed")
    started: Mapped[datetime] = column("when it started, UTC")
    ended: Mapped[datetime] = column("when it ended, UTC")
    turns: Mapped[int] = column("number of turns played")
    prompt_tokens: Mapped[int] = column("tokens read, summed over acts")
    new_tokens: Mapped[int] = column("tokens written, summed over acts")
    code_version: Mapped[str] = column("version of simworld that played it")
    parent_id: Mapped[str | None] = column(
        "episode this one branched from; null if none",
        ForeignKey("episodes.id", ondelete="SET NULL"),
        index=True,
    )


class EpisodeSeatRow(Base):
    """Who sat where."""

    __tablename__ = "episode_seats"
    episode_id: Mapped[str] = episode_key()
    seat: Mapped[str] = column("name of the seat", primary_key=True)
    position: Mapped[int] = column("place of the seat in the scenario, from 0")
    agent_id: Mapped[str] = column(
        "the agent cast into the seat", ForeignKey("agents.id"), index=True
    )
    agent_name: Mapped[str] = column("name of the agent in this run")
    persona: Mapped[str] = column("name of the character")


class ActRow(Base):
    """What a seat did in a turn, and what made it; the columns from model_id on are null for
    scripts and people.
    """

    __tablename__ = "acts"
    episode_id: Mapped[str] = episode_key()
    turn: Mapped[int] = column("turn, from 0", primary_key=True)
    position: Mapped[int] = column("place of the act within the turn, from 0", primary_key=True)
    seat: Mapped[str] = column("who acted")
    kind: Mapped[str] = column("speak, non-verbal, action, leave or none")
    text: Mapped[str] = column("what was said or done")
    recipients: Mapped[Any] = column(
        "list of the seats that alone perceived it; empty: everyone", Json
    )
    model_id: Mapped[str | None] = column("content hash of the model")
    dtype: Mapped[str | None] = column("number format in use; empty for a server")
    prompt_version: Mapped[str | None] = column("content hash of the prompt template")
    seed: Mapped[int | None] = column(
        "seed of the act's sampling stream, as decimal text", SeedText, nullable=True
    )
    prompt_tokens: Mapped[int | None] = column("tokens read")
    new_tokens: Mapped[int | None] = column("tokens written")
    latency_s: Mapped[float | None] = column("seconds from request to reply")
    logprob: Mapped[float | None] = column(
        "log-probability of the reply under the model, nats; null where unknown"
    )
    finish: Mapped[str | None] = column("stop or length")
    raw: Mapped[str | None] = column("the reply as the model wrote it")
    asks: Mapped[int | None] = column("requests made for this act, re-asks included")
    dropped_events: Mapped[int | None] = column(
        "oldest events left out because the prompt was too long"
    )
    reasoning_tokens: Mapped[int | None] = column(
        "of the tokens written, those that were thought; null where unknown"
    )


class PlanStepRow(Base):
    """The vectors used in an act, raw: blobs of numbers in C order."""

    __tablename__ = "plan_steps"
    episode_id: Mapped[str] = episode_key()
    turn: Mapped[int] = column("turn, from 0", primary_key=True)
    position: Mapped[int] = column("place of the act within the turn, from 0", primary_key=True)
    encoder_id: Mapped[str] = column(
        "what made the state: hash of LM, template, layer, position", index=True
    )
    planner_id: Mapped[str] = column("what made the action; empty: no planner", index=True)
    noisy: Mapped[bool] = column("whether exploration noise was added")
    state: Mapped[bytes] = column("state vector")
    state_dtype: Mapped[str] = column("number format of the state: <f4 is little-endian float32")
    state_shape: Mapped[Any] = column("list of the state's dimensions", Json)
    action: Mapped[bytes | None] = column("action vector; null where states are only recorded")
    action_dtype: Mapped[str | None] = column("number format of the action")
    action_shape: Mapped[Any | None] = column(
        "list of the action's dimensions", Json, nullable=True
    )


class CheckRow(Base):
    """What a scenario's check found in an episode."""

    __tablename__ = "checks"
    episode_id: Mapped[str] = episode_key()
    position: Mapped[int] = column("place of the check in the scenario, from 0", primary_key=True)
    name: Mapped[str] = column("name of the check")
    holds: Mapped[bool | None] = column("whether it holds; null where it could not be decided")
    number: Mapped[float | None] = column("the number found")
    text: Mapped[str | None] = column("the text found")
    turn: Mapped[int | None] = column("where it was found, from 0")
    error: Mapped[str | None] = column("why it could not be decided")


class JudgeRow(Base):
    """Who judges."""

    __tablename__ = "judges"
    id: Mapped[str] = column("hash of model, method, prompts and rubric", primary_key=True)
    name: Mapped[str] = column("name for people")
    spec: Mapped[Any] = column("the resolved spec", Json)


class JudgementRow(Base):
    """One judge's pass over one episode: ok with verdicts, or failed."""

    __tablename__ = "judgements"
    __table_args__ = (
        UniqueConstraint("episode_id", "judge_id", "sample"),
        Index(None, "episode_id", "status"),
    )
    id: Mapped[str] = column("hash of episode, judge and sample", primary_key=True)
    episode_id: Mapped[str] = column("the episode", ForeignKey("episodes.id", ondelete="CASCADE"))
    judge_id: Mapped[str] = column("the judge", ForeignKey("judges.id"), index=True)
    sample: Mapped[int] = column("sample of this judge, from 0")
    attempt: Mapped[int] = column("attempt that this row tells of, from 1")
    status: Mapped[str] = column("ok or failed")
    rubric_id: Mapped[str] = column("name of the rubric and hash of its dimensions")
    failure_boundary: Mapped[str | None] = column(
        "who failed: judge, model, reply; null unless failed"
    )
    failure_kind: Mapped[str | None] = column("a stable word; null unless failed")
    failure_message: Mapped[str | None] = column("one line for people; null unless failed")
    earlier_failures: Mapped[Any] = column("list of the failures of earlier attempts", Json)
    model_id: Mapped[str] = column("content hash of the judge's model")
    dtype: Mapped[str] = column("number format in use; empty for a server")
    prompt_tokens: Mapped[int] = column("tokens read")
    new_tokens: Mapped[int] = column("tokens written")
    latency_s: Mapped[float] = column("seconds the pass took")
    reply: Mapped[str] = column("what a server's judge wrote, also where it could not be read")
    judged: Mapped[datetime] = column("when it was stored, UTC")


class VerdictRow(Base):
    """One seat's score on one dimension."""

    __tablename__ = "verdicts"
    judgement_id: Mapped[str] = column(
        "the judgement", ForeignKey("judgements.id", ondelete="CASCADE"), primary_key=True
    )
    seat: Mapped[str] = column("who is judged", primary_key=True)
    dimension: Mapped[str] = column("what is judged", primary_key=True)
    position: Mapped[int] = column("place of the verdict in the judgement, from 0")
    score: Mapped[float] = column("within the dimension's range")
    rescaled: Mapped[float] = column("the score as a share of the range, 0 to 1")
    reasoning: Mapped[str] = column("the judge's reason; may be empty")
    raw: Mapped[Any] = column("as measured: log-odds, or probabilities of the answers", Json)


class AttributionRow(Base):
    """What a judge says about single utterances: a weight or a score for each turn of a seat."""

    __tablename__ = "attributions"
    judgement_id: Mapped[str] = column(
        "the judgement that is shared out",
        ForeignKey("judgements.id", ondelete="CASCADE"),
        primary_key=True,
    )
    method: Mapped[str] = column(
        "attributed: weights of a seat's turns; prefixes: scores of the dialogue so far",
        primary_key=True,
    )
    seat: Mapped[str] = column("whose turns", primary_key=True)
    dimension: Mapped[str] = column(
        "what is judged; empty: the episode as a whole", primary_key=True
    )
    turn: Mapped[int] = column("turn, from 0", primary_key=True)
    value: Mapped[float] = column("the weight, or the score as a share of its range, 0 to 1")


class CellCastRow(Base):
    """Who sat where in the last attempts at a scenario and repeat: a copy of `episodes` and
    `episode_seats`, kept for standings.
    """

    __tablename__ = "cell_casts"
    run: Mapped[str] = column(
        "the run", ForeignKey("runs.name", ondelete="CASCADE"), primary_key=True
    )
    family: Mapped[str] = column("family of the scenario in this run", primary_key=True)
    scenario_id: Mapped[str] = column("the scenario", primary_key=True)
    repeat: Mapped[int] = column("repeat, from 0", primary_key=True)
    seats: Mapped[int] = column("number of seats")
    stale: Mapped[bool] = column(
        "whether an episode was changed by hand since: then this is made again before it is used"
    )
    casts: Mapped[bytes] = column(
        "packed records, one for each work item that was played: store/cells.py"
    )


class CellScoreRow(Base):
    """What a judge's scores in a scenario and repeat come to by seat: a copy of `verdicts`, kept
    for standings.
    """

    __tablename__ = "cell_scores"
    __table_args__ = (
        ForeignKeyConstraint(
            ["run", "family", "scenario_id", "repeat"],
            ["cell_casts.run", "cell_casts.family", "cell_casts.scenario_id", "cell_casts.repeat"],
            ondelete="CASCADE",
        ),
    )
    run: Mapped[str] = column("the run", primary_key=True)
    family: Mapped[str] = column("family of the scenario in this run", primary_key=True)
    scenario_id: Mapped[str] = column("the scenario", primary_key=True)
    repeat: Mapped[int] = column("repeat, from 0", primary_key=True)
    judge_id: Mapped[str] = column(
        "the judge", ForeignKey("judges.id", ondelete="CASCADE"), primary_key=True
    )
    stale: Mapped[bool] = column(
        "whether a verdict was changed by hand since: then this is made again before it is used"
    )
    scores: Mapped[bytes] = column(
        "packed records, one for each episode with a score: store/cells.py"
    )
    retests: Mapped[bytes] = column(
        "packed records, one for each episode with several samples: store/cells.py"
    )


class EpisodeTextRow(Base):
    """What was said in an episode: for search. The index of its words is made by a migration, for
    each database has its own.
    """

    __tablename__ = "episode_texts"
    number: Mapped[int] = column(
        "about the order in which episodes were stored, from 1", primary_key=True
    )
    episode_id: Mapped[str] = column(
        "the episode", ForeignKey("episodes.id", ondelete="CASCADE"), unique=True
    )
    text: Mapped[str] = column("what was said and done: a line for each act, in order")


class EmbeddingRow(Base):
    """What an episode means, as a vector: for search."""

    __tablename__ = "embeddings"
    episode_id: Mapped[str] = episode_key()
    encoder_id: Mapped[str] = column(
        "what made the vector: hash of the encoder's weights and of what it reads", primary_key=True
    )
    vector: Mapped[bytes] = column("embedding of the episode, of length 1")
    dtype: Mapped[str] = column("number format: <f4 is little-endian float32")
    shape: Mapped[Any] = column("list of the vector's dimensions", Json)


class TrainingRow(Base):
    """One training of a planner or an up-mapping."""

    __tablename__ = "training_runs"
    name: Mapped[str] = column("name of the training", primary_key=True)
    kind: Mapped[str] = column("what was trained: upmap, clone, bc, td3bc, ...")
    code_version: Mapped[str] = column("version of simworld that began it")
    created: Mapped[datetime] = column("when it was begun, UTC")
    settings: Mapped[Any] = column("all settings, defaults too", Json)
    data: Mapped[Any] = column("what it was trained on: query, rows, sha256", Json)
    status: Mapped[str] = column("running, finished or failed")
    finished: Mapped[datetime | None] = column("when it ended, UTC; null while it runs")
    checkpoint_id: Mapped[str | None] = column(
        "content hash of the checkpoint it wrote; null without one"
    )
    metrics: Mapped[Any] = column("what it came to, by name", Json)


class TrainingStepRow(Base):
    """A number measured while training."""

    __tablename__ = "training_steps"
    training: Mapped[str] = column(
        "the training", ForeignKey("training_runs.name", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = column("updates made before it was measured", primary_key=True)
    metric: Mapped[str] = column("what was measured", primary_key=True)
    value: Mapped[float | None] = column("the number; null where it was not finite")


def table(row: type[Base]) -> Table:
    """The table behind a row class."""
    return Base.metadata.tables[row.__tablename__]
