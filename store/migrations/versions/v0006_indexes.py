"""Indexes for the latest episodes of a run, and for the episodes of a work item."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_episodes_item_key"), "episodes", ["item_key"], unique=False)
    op.create_index(
        op.f("ix_episodes_run_ended_id"), "episodes", ["run", "ended", "id"], unique=False
    )
