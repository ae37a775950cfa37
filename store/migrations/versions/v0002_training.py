"""Training: what judges say about single utterances, trainings, and what was measured in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "attributions",
        sa.Column(
            "judgement_id", sa.Text(), nullable=False, comment="the judgement that is shared out"
        ),
        sa.Column(
            "method",
            sa.Text(),
            nullable=False,
            comment=(
                "attributed: weights of a seat's turns; prefixes: scores of the dialogue so far"
            ),
        ),
        sa.Column("seat", sa.Text(), nullable=False, comment="whose turns"),
        sa.Column(
            "dimension",
            sa.Text(),
            nullable=False,
            comment="what is judged; empty: the episode as a whole",
        ),
        sa.Column("turn", sa.Integer(), nullable=False, comment="turn, from 0"),
        sa.Column(
            "value",
            sa.Float(),
            nullable=False,
            comment="the weight, or the score as a share of its range, 0 to 1",
        ),
        sa.ForeignKeyConstraint(
            ["judgement_id"],
            ["judgements.id"],
            name=op.f("fk_attributions_judgement_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "judgement_id", "method", "seat", "dimension", "turn", name=op.f("pk_attributions")
        ),
    )
    op.create_table(
        "training_runs",
        sa.Column("name", sa.Text(), nullable=False, comment="name of the training"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="what was trained: upmap, clone, bc, td3bc, ...",
        ),
        sa.Column(
            "code_version", sa.Text(), nullable=False, comment="version of simworld that began it"
        ),
        sa.Column(
            "created", sa.DateTime(timezone=True), nullable=False, comment="when it was begun, UTC"
        ),
        sa.Column("settings", JSON, nullable=False, comment="all settings, defaults too"),
        sa.Column(
            "data", JSON, nullable=False, comment="what it was trained on: query, rows, sha256"
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="running, finished or failed"),
        sa.Column(
            "finished",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it ended, UTC; null while it runs",
        ),
        sa.Column(
            "checkpoint_id",
            sa.Text(),
            nullable=True,
            comment="content hash of the checkpoint it wrote; null without one",
        ),
        sa.Column("metrics", JSON, nullable=False, comment="what it came to, by name"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_training_runs")),
    )
    op.create_table(
        "training_steps",
        sa.Column("training", sa.Text(), nullable=False, comment="the training"),
        sa.Column(
            "step", sa.Integer(), nullable=False, comment="updates made before it was measured"
        ),
        sa.Column("metric", sa.Text(), nullable=False, comment="what was measured"),
        sa.Column(
            "value", sa.Float(), nullable=True, comment="the number; null where it was not finite"
        ),
        sa.ForeignKeyConstraint(
            ["training"],
            ["training_runs.name"],
            name=op.f("fk_training_steps_training"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("training", "step", "metric", name=op.f("pk_training_steps")),
    )
