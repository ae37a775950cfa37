"""Episodes by the words in them: SQLite's FTS5 and PostgreSQL's text search, asked alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, Integer, column, func, literal_column, select
from sqlalchemy import table as lightweight

from simworld.core.episode import Act
from store.records import TextHit
from store.tables import EpisodeRow, EpisodeTextRow, table

FTS_TABLE = "episode_words"  # SQLite: the virtual table behind the triggers of migration 0005


def episode_text(acts: Iterable[Act]) -> str:
    """What was said and done, a line for each act, in order."""
    return "\n".join(" ".join(act.action.text.split()) for act in acts)


def search_text(
    connection: Connection,
    phrases: Sequence[str],
    *,
    run: str | None = None,
    before: int | None = None,
    limit: int = 20,
) -> list[TextHit]:
    """Episodes in which all the phrases (words in this order) occur, in any case, the latest
    first.

    Args:
        connection: of the database.
        phrases: at least one, each with a letter or digit in it.
        run: only this run's.
        before: only those with a lower number.
        limit: the most.
    """
    number: ColumnElement[int] = table(EpisodeTextRow).c.number
    query = select(EpisodeTextRow.number, EpisodeTextRow.episode_id, EpisodeTextRow.text).limit(
        limit
    )
    if connection.dialect.name == "sqlite":
        # whose last column stands for all of them
        fts = lightweight(FTS_TABLE, column("rowid", Integer), column(FTS_TABLE))
        number = fts.c.rowid  # FTS5 walks its rows in this order by itself
        query = query.join(fts, number == EpisodeTextRow.number)
        match_query = " ".join('"' + phrase.replace('"', '""') + '"' for phrase in phrases)
        query = query.where(fts.c[FTS_TABLE].op("MATCH")(match_query))
    else:
        vector = func.to_tsvector(literal_column("'simple'"), EpisodeTextRow.text)
        for phrase in phrases:
            query = query.where(
                vector.op("@@")(func.phraseto_tsquery(literal_column("'simple'"), phrase))
            )
    if run is not None:
        query = query.join(EpisodeRow, EpisodeRow.id == EpisodeTextRow.episode_id).where(
            EpisodeRow.run == run
        )
    if before is not None:
        query = query.where(number < before)
    rows = connection.execute(query.order_by(number.desc()))
    return [TextHit(number=number, episode_id=id_, text=text) for number, id_, text in rows]


def texts_by_episode(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Episode id → what was said and done, a line for each act, for up to a thousand ids."""
    query = select(EpisodeTextRow.episode_id, EpisodeTextRow.text).where(
        EpisodeTextRow.episode_id.in_(ids)
    )
    return {id_: text for id_, text in connection.execute(query)}  # noqa: C416 - a row is no tuple to mypy
