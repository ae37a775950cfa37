"""Search by words: what was said in each episode as one text, and an index of its words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LINES_SQLITE = """
INSERT INTO episode_texts (episode_id, text)
SELECT e.id, coalesce((
  SELECT group_concat(line, char(10)) FROM (
    SELECT replace(replace(a.text, char(13), ' '), char(10), ' ') AS line
    FROM acts a WHERE a.episode_id = e.id ORDER BY a.turn, a.position)), '')
FROM episodes e ORDER BY e.ended, e.id
"""
LINES_POSTGRESQL = r"""
INSERT INTO episode_texts (episode_id, text)
SELECT e.id, coalesce((
  SELECT string_agg(regexp_replace(a.text, '\s+', ' ', 'g'), E'\n' ORDER BY a.turn, a.position)
  FROM acts a WHERE a.episode_id = e.id), '')
FROM episodes e ORDER BY e.ended, e.id
"""
INDEX_SQLITE = (
    (
        "CREATE VIRTUAL TABLE episode_words USING fts5(text, content='episode_texts',"
        " content_rowid='number', tokenize='unicode61 remove_diacritics 2')"
    ),
    """CREATE TRIGGER episode_texts_added AFTER INSERT ON episode_texts BEGIN
    INSERT INTO episode_words (rowid, text) VALUES (new.number, new.text);
    END""",
    """CREATE TRIGGER episode_texts_removed AFTER DELETE ON episode_texts BEGIN
    INSERT INTO episode_words (episode_words, rowid, text) VALUES ('delete', old.number, old.text);
    END""",
    """CREATE TRIGGER episode_texts_changed AFTER UPDATE ON episode_texts BEGIN
    INSERT INTO episode_words (episode_words, rowid, text) VALUES ('delete', old.number, old.text);
    INSERT INTO episode_words (rowid, text) VALUES (new.number, new.text);
    END""",
)


def upgrade() -> None:
    op.create_table(
        "episode_texts",
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            comment="about the order in which episodes were stored, from 1",
        ),
        sa.Column("episode_id", sa.Text(), nullable=False, comment="the episode"),
        sa.Column(
            "text",
            sa.Text(),
            nullable=False,
            comment="what was said and done: a line for each act, in order",
        ),
        sa.ForeignKeyConstraint(
            ["episode_id"],
            ["episodes.id"],
            name=op.f("fk_episode_texts_episode_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_episode_texts")),
        sa.UniqueConstraint("episode_id", name=op.f("uq_episode_texts_episode_id")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for statement in INDEX_SQLITE:
            op.execute(sa.text(statement))
        op.execute(sa.text(LINES_SQLITE))
    else:
        op.execute(sa.text(LINES_POSTGRESQL))
        op.create_index(
            op.f("ix_episode_texts_words"),
            "episode_texts",
            [sa.text("to_tsvector('simple', text)")],
            postgresql_using="gin",
        )
