"""Runs the packaged migrations on an open connection."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration: the folder inside this package, and the connection to work on."""
    configuration = Config()
    configuration.set_main_option("script_location", "store:migrations")
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def migrate(connection: Connection) -> None:
    """Brings the database to the newest version, inside the connection's transaction."""
    command.upgrade(config(connection), "head")
