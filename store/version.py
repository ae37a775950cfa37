"""Which schema versions this code knows, so that opening a database needs no Alembic."""

from __future__ import annotations

# Oldest first; a test holds that these are the migrations' revisions
VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
HEAD = VERSIONS[-1]
# a name of our own tells our databases from others that Alembic made
VERSION_TABLE = "simworld_version"
