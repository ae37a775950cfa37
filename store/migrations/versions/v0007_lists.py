"""Lists and counts in large stores: indexes in the order in which episodes are shown, and one that
counts what is judged.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_episodes_run_scenario_id_ended_id"),
        "episodes",
        ["run", "scenario_id", "ended", "id"],
    )
    op.create_index(op.f("ix_episodes_ending_ended_id"), "episodes", ["ending", "ended", "id"])
    op.create_index(op.f("ix_judgements_episode_id_status"), "judgements", ["episode_id", "status"])
