"""Store: the one door to a database. Records go in and come out; connections stay inside."""

from __future__ import annotations

from store.connection import BUSY_TIMEOUT_S, connect
from store.database_address import parse_address
from store.facade_episodes import EpisodeMethods
from store.facade_judgements import JudgementMethods
from store.facade_learning import LearningMethods
from store.facade_runs import RunMethods


def open_store(
    url: str,
    *,
    create: bool = False,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    read_only: bool = False,
    row_bytes: int | None = None,
) -> Store:
    """A store on `sqlite:///FILE`, a plain file name, or `postgresql://…`; only with `create` is a
    new database made.

    With `read_only` every method that writes raises StoreError, whatever the user may do to the
    database. With `row_bytes` so does on SQLite every method that would read a larger row.

    Raises:
        InputError: the address makes no sense, or names no file and none is to be made.
        MissingExtra: PostgreSQL without its driver.
        StoreMismatch: not a simworld database, or one of an older or newer version; the text says
            what to do.
        StoreError: locked for longer than `busy_timeout_s`, unreachable, not permitted.
    """
    address = parse_address(url)
    engine = connect(
        address,
        create=create,
        busy_timeout_s=busy_timeout_s,
        read_only=read_only,
        row_bytes=row_bytes,
    )
    return Store(address, engine)


class Store(RunMethods, EpisodeMethods, JudgementMethods, LearningMethods):
    """A database of runs, episodes and judgements.

    Every method is one transaction (streams: one per batch), and any may raise StoreError when the
    database is locked, full or gone. What was returned from is stored; what raised is not stored at
    all.
    """
