"""The first schema: scenarios, agents, runs, work items, episodes, judgements, and two views."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

EPISODE_SCORES = """
CREATE VIEW episode_scores AS
SELECT e.id AS episode_id, e.run, e.scenario_id, e.scenario_name, e.family, e.repeat, e.attempt, e.ending,
       j.judge_id, g.name AS judge_name, j.sample, j.rubric_id,
       v.seat, s.agent_id, s.agent_name, s.persona, v.dimension, v.score, v.rescaled, v.reasoning
FROM verdicts v
JOIN judgements j ON j.id = v.judgement_id
JOIN judges g ON g.id = j.judge_id
JOIN episodes e ON e.id = j.episode_id
JOIN episode_seats s ON s.episode_id = e.id AND s.seat = v.seat
"""

TRANSCRIPTS = """
CREATE VIEW transcripts AS
SELECT e.id AS episode_id, e.run, e.scenario_name, e.family, e.repeat, e.attempt, e.ending,
       a.turn, a.position, a.seat, s.persona, s.agent_name, a.kind, a.text, a.recipients
FROM acts a
JOIN episodes e ON e.id = a.episode_id
JOIN episode_seats s ON s.episode_id = a.episode_id AND s.seat = a.seat
"""


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            comment="hash of the resolved spec with the content of model, prompt and planner",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name when first stored"),
        sa.Column("spec", JSON, nullable=False, comment="the resolved spec"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
    )
    op.create_index(op.f("ix_agents_name"), "agents", ["name"], unique=False)
    op.create_table(
        "judges",
        sa.Column(
            "id", sa.Text(), nullable=False, comment="hash of model, method, prompts and rubric"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name for people"),
        sa.Column("spec", JSON, nullable=False, comment="the resolved spec"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judges")),
    )
    op.create_table(
        "runs",
        sa.Column("name", sa.Text(), nullable=False, comment="name of the run"),
        sa.Column(
            "seed",
            sa.Text(),
            nullable=False,
            comment="seed from which every episode's seed derives, as decimal text",
        ),
        sa.Column(
            "code_version",
            sa.Text(),
            nullable=False,
            comment="version of simworld that began the run",
        ),
        sa.Column(
            "created",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the run was begun, UTC",
        ),
        sa.Column("settings", JSON, nullable=False, comment="options of the run"),
        sa.Column("profile", JSON, nullable=True, comment="what the run took: times and counts"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_runs")),
    )
    op.create_table(
        "scenarios",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            comment="versioned hash of what the seats and the engine read",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name in the file it came from"),
        sa.Column("title", sa.Text(), nullable=False, comment="title for people"),
        sa.Column(
            "family",
            sa.Text(),
            nullable=False,
            comment="statistical unit: scenarios that are variants of one idea",
        ),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="bargaining, persuasion, ...; may be empty"
        ),
        sa.Column("tags", JSON, nullable=False, comment="list of words"),
        sa.Column(
            "rubric", sa.Text(), nullable=False, comment="rubric the scenario asks to be judged by"
        ),
        sa.Column(
            "judge_note", sa.Text(), nullable=False, comment="background for the judge alone"
        ),
        sa.Column(
            "meta", JSON, nullable=False, comment="where the scenario came from: text by text"
        ),
        sa.Column(
            "content",
            JSON,
            nullable=False,
            comment="setting, seats with personas, relationships, order, limits, checks",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenarios")),
    )
    op.create_index(op.f("ix_scenarios_family"), "scenarios", ["family"], unique=False)
    op.create_index(op.f("ix_scenarios_name"), "scenarios", ["name"], unique=False)
    op.create_table(
        "run_agents",
        sa.Column("run", sa.Text(), nullable=False, comment="the run"),
        sa.Column("agent_name", sa.Text(), nullable=False, comment="name of the agent in this run"),
        sa.Column("agent_id", sa.Text(), nullable=False, comment="the agent"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_run_agents_agent_id")),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.name"], name=op.f("fk_run_agents_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run", "agent_name", name=op.f("pk_run_agents")),
    )
    op.create_index(op.f("ix_run_agents_agent_id"), "run_agents", ["agent_id"], unique=False)
    op.create_table(
        "work_items",
        sa.Column(
            "key", sa.Text(), nullable=False, comment="hash of run, scenario, cast and repeat"
        ),
        sa.Column("run", sa.Text(), nullable=False, comment="the run"),
        sa.Column("scenario_id", sa.Text(), nullable=False, comment="the scenario"),
        sa.Column(
            "scenario_name", sa.Text(), nullable=False, comment="name of the scenario in this run"
        ),
        sa.Column(
            "family", sa.Text(), nullable=False, comment="family of the scenario in this run"
        ),
        sa.Column("casting", JSON, nullable=False, comment="agent id by seat"),
        sa.Column("repeat", sa.Integer(), nullable=False, comment="repeat, from 0"),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.name"], name=op.f("fk_work_items_run"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scenario_id"], ["scenarios.id"], name=op.f("fk_work_items_scenario_id")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_work_items")),
    )
    op.create_index(op.f("ix_work_items_run"), "work_items", ["run"], unique=False)
    op.create_index(op.f("ix_work_items_scenario_id"), "work_items", ["scenario_id"], unique=False)
    op.create_table(
        "episodes",
        sa.Column("id", sa.Text(), nullable=False, comment="hash of the work item and the attempt"),
        sa.Column("run", sa.Text(), nullable=False, comment="the run"),
        sa.Column("item_key", sa.Text(), nullable=False, comment="the work item"),
        sa.Column(
            "attempt", sa.Integer(), nullable=False, comment="attempt at the work item, from 1"
        ),
        sa.Column("scenario_id", sa.Text(), nullable=False, comment="the scenario"),
        sa.Column(
            "scenario_name", sa.Text(), nullable=False, comment="name of the scenario in this run"
        ),
        sa.Column(
            "family", sa.Text(), nullable=False, comment="family of the scenario in this run"
        ),
        sa.Column("repeat", sa.Integer(), nullable=False, comment="repeat, from 0"),
        sa.Column(
            "seed", sa.Text(), nullable=False, comment="seed of the episode, as decimal text"
        ),
        sa.Column("ending", sa.Text(), nullable=False, comment="terminated, turn_limit or failed"),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="left, silence, check:<name>, turn_limit, or the failure's kind",
        ),
        sa.Column(
            "failure_boundary",
            sa.Text(),
            nullable=True,
            comment="who failed: model, reply, agent, human, engine; null unless failed",
        ),
        sa.Column(
            "failure_kind",
            sa.Text(),
            nullable=True,
            comment="a stable word: timeout, too-long, ...; null unless failed",
        ),
        sa.Column(
            "failure_message",
            sa.Text(),
            nullable=True,
            comment="one line for people; null unless failed",
        ),
        sa.Column(
            "started", sa.DateTime(timezone=True), nullable=False, comment="when it started, UTC"
        ),
        sa.Column(
            "ended", sa.DateTime(timezone=True), nullable=False, comment="when it ended, UTC"
        ),
        sa.Column("turns", sa.Integer(), nullable=False, comment="number of turns played"),
        sa.Column(
            "prompt_tokens", sa.Integer(), nullable=False, comment="tokens read, summed over acts"
        ),
        sa.Column(
            "new_tokens", sa.Integer(), nullable=False, comment="tokens written, summed over acts"
        ),
        sa.Column(
            "code_version", sa.Text(), nullable=False, comment="version of simworld that played it"
        ),
        sa.Column(
            "parent_id",
            sa.Text(),
            nullable=True,
            comment="episode this one branched from; null if none",
        ),
        sa.ForeignKeyConstraint(
            ["item_key"], ["work_items.key"], name=op.f("fk_episodes_item_key"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["episodes.id"], name=op.f("fk_episodes_parent_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.name"], name=op.f("fk_episodes_run"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scenario_id"], ["scenarios.id"], name=op.f("fk_episodes_scenario_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
        sa.UniqueConstraint(
            "run", "item_key", "attempt", name=op.f("uq_episodes_run_item_key_attempt")
        ),
    )
    op.create_index(op.f("ix_episodes_ended_id"), "episodes", ["ended", "id"], unique=False)
    op.create_index(op.f("ix_episodes_family"), "episodes", ["family"], unique=False)
    op.create_index(op.f("ix_episodes_parent_id"), "episodes", ["parent_id"], unique=False)
    op.create_index(op.f("ix_episodes_scenario_id"), "episodes", ["scenario_id"], unique=False)
    op.create_index(op.f("ix_episodes_scenario_name"), "episodes", ["scenario_name"], unique=False)
    op.create_table(
        "acts",
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column("turn", sa.Integer(), nullable=False, comment="turn, from 0"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="place of the act within the turn, from 0",
        ),
        sa.Column("seat", sa.Text(), nullable=False, comment="who acted"),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="speak, non-verbal, action, leave or none"
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="what was said or done"),
        sa.Column(
            "recipients",
            JSON,
            nullable=False,
            comment="list of the seats that alone perceived it; empty: everyone",
        ),
        sa.Column("model_id", sa.Text(), nullable=True, comment="content hash of the model"),
        sa.Column(
            "dtype", sa.Text(), nullable=True, comment="number format in use; empty for a server"
        ),
        sa.Column(
            "prompt_version",
            sa.Text(),
            nullable=True,
            comment="content hash of the prompt template",
        ),
        sa.Column(
            "seed",
            sa.Text(),
            nullable=True,
            comment="seed of the act's sampling stream, as decimal text",
        ),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True, comment="tokens read"),
        sa.Column("new_tokens", sa.Integer(), nullable=True, comment="tokens written"),
        sa.Column("latency_s", sa.Float(), nullable=True, comment="seconds from request to reply"),
        sa.Column(
            "logprob",
            sa.Float(),
            nullable=True,
            comment="log-probability of the reply under the model, nats; null where unknown",
        ),
        sa.Column("finish", sa.Text(), nullable=True, comment="stop or length"),
        sa.Column("raw", sa.Text(), nullable=True, comment="the reply as the model wrote it"),
        sa.Column(
            "asks",
            sa.Integer(),
            nullable=True,
            comment="requests made for this act, re-asks included",
        ),
        sa.Column(
            "dropped_events",
            sa.Integer(),
            nullable=True,
            comment="oldest events left out because the prompt was too long",
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_acts_episode_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("episode_id", "turn", "position", name=op.f("pk_acts")),
    )
    op.create_table(
        "checks",
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="place of the check in the scenario, from 0",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="name of the check"),
        sa.Column(
            "holds",
            sa.Boolean(),
            nullable=True,
            comment="whether it holds; null where it could not be decided",
        ),
        sa.Column("number", sa.Float(), nullable=True, comment="the number found"),
        sa.Column("text", sa.Text(), nullable=True, comment="the text found"),
        sa.Column("turn", sa.Integer(), nullable=True, comment="where it was found, from 0"),
        sa.Column("error", sa.Text(), nullable=True, comment="why it could not be decided"),
        sa.ForeignKeyConstraint(
            ["episode_id"], ["episodes.id"], name=op.f("fk_checks_episode_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("episode_id", "position", name=op.f("pk_checks")),
    )
    op.create_table(
        "episode_seats",
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column("seat", sa.Text(), nullable=False, comment="name of the seat"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="place of the seat in the scenario, from 0",
        ),
        sa.Column("agent_id", sa.Text(), nullable=False, comment="the agent cast into the seat"),
        sa.Column("agent_name", sa.Text(), nullable=False, comment="name of the agent in this run"),
        sa.Column("persona", sa.Text(), nullable=False, comment="name of the character"),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_episode_seats_agent_id")
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_episode_seats_episode_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("episode_id", "seat", name=op.f("pk_episode_seats")),
    )
    op.create_index(op.f("ix_episode_seats_agent_id"), "episode_seats", ["agent_id"], unique=False)
    op.create_table(
        "judgements",
        sa.Column("id", sa.Text(), nullable=False, comment="hash of episode, judge and sample"),
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column("judge_id", sa.Text(), nullable=False, comment="the judge"),
        sa.Column("sample", sa.Integer(), nullable=False, comment="sample of this judge, from 0"),
        sa.Column(
            "attempt",
            sa.Integer(),
            nullable=False,
            comment="attempt that this row tells of, from 1",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="ok or failed"),
        sa.Column(
            "rubric_id",
            sa.Text(),
            nullable=False,
            comment="name of the rubric and hash of its dimensions",
        ),
        sa.Column(
            "failure_boundary",
            sa.Text(),
            nullable=True,
            comment="who failed: judge, model, reply; null unless failed",
        ),
        sa.Column(
            "failure_kind", sa.Text(), nullable=True, comment="a stable word; null unless failed"
        ),
        sa.Column(
            "failure_message",
            sa.Text(),
            nullable=True,
            comment="one line for people; null unless failed",
        ),
        sa.Column(
            "earlier_failures",
            JSON,
            nullable=False,
            comment="list of the failures of earlier attempts",
        ),
        sa.Column(
            "model_id", sa.Text(), nullable=False, comment="content hash of the judge's model"
        ),
        sa.Column(
            "dtype", sa.Text(), nullable=False, comment="number format in use; empty for a server"
        ),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="tokens read"),
        sa.Column("new_tokens", sa.Integer(), nullable=False, comment="tokens written"),
        sa.Column("latency_s", sa.Float(), nullable=False, comment="seconds the pass took"),
        sa.Column(
            "reply",
            sa.Text(),
            nullable=False,
            comment="what a server's judge wrote, also where it could not be read",
        ),
        sa.Column(
            "judged", sa.DateTime(timezone=True), nullable=False, comment="when it was stored, UTC"
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_judgements_episode_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["judge_id"], ["judges.id"], name=op.f("fk_judgements_judge_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgements")),
        sa.UniqueConstraint(
            "episode_id",
            "judge_id",
            "sample",
            name=op.f("uq_judgements_episode_id_judge_id_sample"),
        ),
    )
    op.create_index(op.f("ix_judgements_judge_id"), "judgements", ["judge_id"], unique=False)
    op.create_table(
        "plan_steps",
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column("turn", sa.Integer(), nullable=False, comment="turn, from 0"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="place of the act within the turn, from 0",
        ),
        sa.Column(
            "encoder_id",
            sa.Text(),
            nullable=False,
            comment="what made the state: hash of LM, template, layer, position",
        ),
        sa.Column(
            "planner_id",
            sa.Text(),
            nullable=False,
            comment="what made the action; empty: no planner",
        ),
        sa.Column(
            "noisy", sa.Boolean(), nullable=False, comment="whether exploration noise was added"
        ),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="state vector"),
        sa.Column(
            "state_dtype",
            sa.Text(),
            nullable=False,
            comment="number format of the state: <f4 is little-endian float32",
        ),
        sa.Column("state_shape", JSON, nullable=False, comment="list of the state's dimensions"),
        sa.Column(
            "action",
            sa.LargeBinary(),
            nullable=True,
            comment="action vector; null where states are only recorded",
        ),
        sa.Column("action_dtype", sa.Text(), nullable=True, comment="number format of the action"),
        sa.Column("action_shape", JSON, nullable=True, comment="list of the action's dimensions"),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_plan_steps_episode_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("episode_id", "turn", "position", name=op.f("pk_plan_steps")),
    )
    op.create_index(op.f("ix_plan_steps_encoder_id"), "plan_steps", ["encoder_id"], unique=False)
    op.create_index(op.f("ix_plan_steps_planner_id"), "plan_steps", ["planner_id"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("judgement_id", sa.Text(), nullable=False, comment="the judgement"),
        sa.Column("seat", sa.Text(), nullable=False, comment="who is judged"),
        sa.Column("dimension", sa.Text(), nullable=False, comment="what is judged"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=False,
            comment="place of the verdict in the judgement, from 0",
        ),
        sa.Column("score", sa.Float(), nullable=False, comment="within the dimension's range"),
        sa.Column(
            "rescaled",
            sa.Float(),
            nullable=False,
            comment="the score as a share of the range, 0 to 1",
        ),
        sa.Column(
            "reasoning", sa.Text(), nullable=False, comment="the judge's reason; may be empty"
        ),
        sa.Column(
            "raw",
            JSON,
            nullable=False,
            comment="as measured: log-odds, or probabilities of the answers",
        ),
        sa.ForeignKeyConstraint(
            ["judgement_id"],
            ["judgements.id"],
            name=op.f("fk_verdicts_judgement_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("judgement_id", "seat", "dimension", name=op.f("pk_verdicts")),
    )
    op.execute(EPISODE_SCORES)
    op.execute(TRANSCRIPTS)
