"""Thinking models: how many of an act's tokens were thought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COMMENT = "of the tokens written, those that were thought; null where unknown"


def upgrade() -> None:
    op.add_column(
        "acts", sa.Column("reasoning_tokens", sa.Integer(), nullable=True, comment=COMMENT)
    )
