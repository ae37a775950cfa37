"""Serving the pages until somebody stops it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from simworld.core.errors import InputError
from simworld.web.app import make_app
from simworld.web.app_state import AppState

BACKLOG = 128
# a page waits for the interpreter after each query: ten times less behind standings being computed
SWITCH_INTERVAL_S = 0.0005


class Server(uvicorn.Server):
    """A server whose end waits for no query."""

    def __init__(self, config: uvicorn.Config, state: AppState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal to stop does."""
        self._state.stopping.set()
        super().handle_exit(sig, frame)


def serve(
    url: str,
    *,
    host: str,
    port: int,
    names: tuple[str, ...] = (),
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Answers requests until Ctrl-C.

    Args:
        url: the database.
        host: the address to listen on.
        port: 0 takes a free one.
        names: further names under which browsers may ask for this server.
        ready: told the address of the first page once requests are accepted.

    Raises:
        InputError: the address cannot be listened on.
    """
    listener = listen(host, port)
    bound_port = listener.getsockname()[1]
    state = AppState(url)
    config = uvicorn.Config(
        make_app(url, hosts=(host, *names), state=state),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
    )
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    ready(f"http://{f'[{host}]' if ':' in host else host}:{bound_port}/")
    Server(config, state).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. Raises InputError where the address is taken or not of
    this machine.
    """
    listener: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}; try --port 0 for a free one"
        ) from error
    return listener
