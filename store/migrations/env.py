"""What Alembic runs around the migrations: the caller's connection, our version table, no logging
set-up.
"""

from __future__ import annotations

from alembic import context

from store.tables import Base
from store.version import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
