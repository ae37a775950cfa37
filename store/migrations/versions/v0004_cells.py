"""What standings read: cells by scenario and repeat, and triggers that notice what is changed by
hand.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Everything begins stale, and the code that upgrades a database makes it.
CASTS = """
INSERT INTO cell_casts (run, family, scenario_id, repeat, seats, stale, casts)
SELECT e.run, e.family, e.scenario_id, e.repeat, count(*) / count(DISTINCT e.id), {true}, {empty}
FROM episodes e JOIN episode_seats s ON s.episode_id = e.id
GROUP BY e.run, e.family, e.scenario_id, e.repeat
"""
SCORES = """
INSERT INTO cell_scores (run, family, scenario_id, repeat, judge_id, stale, scores, retests)
SELECT DISTINCT e.run, e.family, e.scenario_id, e.repeat, j.judge_id, {true}, {empty}, {empty}
FROM judgements j JOIN episodes e ON e.id = j.episode_id
WHERE j.status = 'ok'
"""
VERDICT = """
UPDATE cell_scores SET stale = {true} WHERE (run, family, scenario_id, repeat, judge_id) IN (
    SELECT e.run, e.family, e.scenario_id, e.repeat, j.judge_id
    FROM judgements j JOIN episodes e ON e.id = j.episode_id WHERE j.id = OLD.judgement_id);
"""
JUDGEMENT = """
UPDATE cell_scores SET stale = {true} WHERE judge_id = OLD.judge_id AND (run, family, scenario_id, repeat) IN (
    SELECT e.run, e.family, e.scenario_id, e.repeat FROM episodes e WHERE e.id = OLD.episode_id);
"""
# Not where the whole run is deleted, for then its cells are on their way out too.
EPISODE = """
UPDATE cell_casts SET stale = {true}
WHERE run = OLD.run AND family = OLD.family AND scenario_id = OLD.scenario_id AND repeat = OLD.repeat
    AND EXISTS (SELECT 1 FROM runs WHERE name = OLD.run);
UPDATE cell_scores SET stale = {true}
WHERE run = OLD.run AND family = OLD.family AND scenario_id = OLD.scenario_id AND repeat = OLD.repeat
    AND EXISTS (SELECT 1 FROM runs WHERE name = OLD.run);
"""
TRIGGERS = (
    ("verdict_changed", "UPDATE ON verdicts", "", VERDICT),
    ("verdict_deleted", "DELETE ON verdicts", "", VERDICT),
    ("judgement_deleted", "DELETE ON judgements", "WHEN (OLD.status = 'ok')", JUDGEMENT),
    ("episode_changed", "UPDATE OF attempt, ending ON episodes", "", EPISODE),
    ("episode_deleted", "DELETE ON episodes", "", EPISODE),
)


def upgrade() -> None:
    op.create_table(
        "cell_casts",
        sa.Column("run", sa.Text(), nullable=False, comment="the run"),
        sa.Column(
            "family", sa.Text(), nullable=False, comment="family of the scenario in this run"
        ),
        sa.Column("scenario_id", sa.Text(), nullable=False, comment="the scenario"),
        sa.Column("repeat", sa.Integer(), nullable=False, comment="repeat, from 0"),
        sa.Column("seats", sa.Integer(), nullable=False, comment="number of seats"),
        sa.Column(
            "stale",
            sa.Boolean(),
            nullable=False,
            comment=(
                "whether an episode was changed by hand since: then this is made again before it is"
                " used"
            ),
        ),
        sa.Column(
            "casts",
            sa.LargeBinary(),
            nullable=False,
            comment="packed records, one for each work item that was played: store/cells.py",
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.name"], name=op.f("fk_cell_casts_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "run", "family", "scenario_id", "repeat", name=op.f("pk_cell_casts")
        ),
    )
    op.create_table(
        "cell_scores",
        sa.Column("run", sa.Text(), nullable=False, comment="the run"),
        sa.Column(
            "family", sa.Text(), nullable=False, comment="family of the scenario in this run"
        ),
        sa.Column("scenario_id", sa.Text(), nullable=False, comment="the scenario"),
        sa.Column("repeat", sa.Integer(), nullable=False, comment="repeat, from 0"),
        sa.Column("judge_id", sa.Text(), nullable=False, comment="the judge"),
        sa.Column(
            "stale",
            sa.Boolean(),
            nullable=False,
            comment=(
                "whether a verdict was changed by hand since: then this is made again before it is"
                " used"
            ),
        ),
        sa.Column(
            "scores",
            sa.LargeBinary(),
            nullable=False,
            comment="packed records, one for each episode with a score: store/cells.py",
        ),
        sa.Column(
            "retests",
            sa.LargeBinary(),
            nullable=False,
            comment="packed records, one for each episode with several samples: store/cells.py",
        ),
        sa.ForeignKeyConstraint(
            ["judge_id"], ["judges.id"], name=op.f("fk_cell_scores_judge_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run", "family", "scenario_id", "repeat"],
            ["cell_casts.run", "cell_casts.family", "cell_casts.scenario_id", "cell_casts.repeat"],
            name=op.f("fk_cell_scores_run_family_scenario_id_repeat"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "run", "family", "scenario_id", "repeat", "judge_id", name=op.f("pk_cell_scores")
        ),
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    literals = (
        {"true": "true", "empty": "''::bytea"} if postgresql else {"true": "1", "empty": "x''"}
    )
    for statement in (CASTS, SCORES):
        op.execute(statement.format(**literals))
    for name, event, when, body in TRIGGERS:
        body = body.format(**literals)
        if postgresql:
            op.execute(
                f"CREATE FUNCTION simworld_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" {body} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER simworld_{name} AFTER {event} FOR EACH ROW {when} EXECUTE FUNCTION"
                f" simworld_{name}()"
            )
        else:
            op.execute(
                f"CREATE TRIGGER simworld_{name} AFTER {event} FOR EACH ROW {when} BEGIN {body} END"
            )
