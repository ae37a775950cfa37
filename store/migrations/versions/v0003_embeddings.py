"""Search by meaning: an embedding of each episode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "embeddings",
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column(
            "encoder_id",
            sa.Text(),
            nullable=False,
            comment="what made the vector: hash of the encoder's weights and of what it reads",
        ),
        sa.Column(
            "vector",
            sa.LargeBinary(),
            nullable=False,
            comment="embedding of the episode, of length 1",
        ),
        sa.Column(
            "dtype",
            sa.Text(),
            nullable=False,
            comment="number format: <f4 is little-endian float32",
        ),
        sa.Column("shape", JSON, nullable=False, comment="list of the vector's dimensions"),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_embeddings_episode_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("episode_id", "encoder_id", name=op.f("pk_embeddings")),
    )
