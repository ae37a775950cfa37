"""`simworld serve`: look at a database in a browser."""

from __future__ import annotations

import click

from simworld.cli.options import db_option
from simworld.cli.output.text import harmless


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8137, help="0: any that is free.")
@click.option(
    "--allow-host",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="A further name by which browsers may ask.",
)
@db_option
def serve(host: str, port: int, host_names: tuple[str, ...], db: str) -> None:
    """Browse runs, standings, episodes and training in a web page.

    It only reads, needs no network, and listens on this machine alone unless --host says otherwise.
    Ctrl-C stops it.
    """
    from simworld.web.request_guard import LOOPBACK
    from simworld.web.serve import serve as serve_pages
    from store import open_store

    # what is wrong with it is better said here than on the first page
    open_store(db, read_only=True).close()
    if host not in LOOPBACK:
        click.echo(
            f"Warning: everybody who can reach {harmless(host)} can read this database.", err=True
        )
    serve_pages(
        db,
        host=host,
        port=port,
        names=host_names,
        ready=lambda address: click.echo(f"simworld is at {address}", err=True),
    )
