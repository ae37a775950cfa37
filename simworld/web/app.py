"""The web application: a route per page, each of which asks the store and draws; known errors
become pages that say what to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from simworld.core.errors import InputError, SimworldError, StoreError, StoreMismatch
from simworld.web.app_state import AppState
from simworld.web.html import NAVIGATION, DatabaseHeading, environment, render
from simworld.web.page import Maker, Page
from simworld.web.page_request import PageNotFound, PageRequest
from simworld.web.pages import agent, db, episode, run, scenario, search, tournament, train
from simworld.web.request_guard import Hardened, known_hosts, sent_by_us
from store.damage import explain_damage
from store.database_address import parse_address

STATIC = Path(__file__).parent / "static"
THREADS = 8  # pages that are made at once; more would only wait for the same two or four cores
PAGES: Mapping[str, Maker] = {
    "/": run.list_,
    "/run/show/{name:path}": run.show,
    "/tournament/standings": tournament.standings,
    "/tournament/compare": tournament.compare,
    "/scenario/list": scenario.list_,
    "/scenario/show/{id}": scenario.show,
    "/episode/list": episode.list_,
    "/episode/search": search.search,
    "/episode/show/{id}": episode.show,
    "/train/list": train.list_,
    "/train/show/{name:path}": train.show,
    "/db/query": db.query,
    "/db/info": db.info,
    "/agent/show/{id:path}": agent.show,
}


def make_app(url: str, *, hosts: tuple[str, ...] = (), state: AppState | None = None) -> ASGIApp:
    """The application on a database; nothing is opened before the first request.

    Args:
        url: the database.
        hosts: names under which the server may be asked, besides those of this machine.
        state: of this database, for who wants to say when the server stops; default: a new one.
    """
    state = state or AppState(url)
    templates = environment()
    where = DatabaseHeading(full=str(parse_address(url)))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        state.close()

    def answer(request: Request, page: Page) -> Response:
        shared = {
            "title": page.title,
            "section": navigation_entry(request.url.path),
            "where": where,
        }
        return HTMLResponse(
            render(templates, page.template, {**shared, **page.values}), status_code=page.status
        )

    async def on_http(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        response = answer(request, http_page(status))
        response.headers.update(headers or {})
        return response

    routes = [
        Route(path, endpoint(state, maker, answer), methods=["GET"])
        for path, maker in PAGES.items()
    ]
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=STATIC))],
        exception_handlers={HTTPException: on_http, Exception: on_http},
        lifespan=lifespan,
    )
    return known_hosts(Hardened(app), hosts)


def navigation_entry(path: str) -> str:
    """The entry of the navigation under which a page is found."""
    group = path.split("/")[1]
    near = {"run": "/", "agent": "/episode/list", "db": "/db/query"}
    entries = [own for own, _ in NAVIGATION if own == path] or [near.get(group, "")]
    return entries[0] or next((own for own, _ in NAVIGATION if own.startswith(f"/{group}/")), "")


def endpoint(
    state: AppState, maker: Maker, answer: Callable[[Request, Page], Response]
) -> Callable[[Request], Response]:
    """What answers the requests for one page."""

    def respond(request: Request) -> Response:
        asked = PageRequest(
            path=request.path_params,
            query=dict(request.query_params),
            own=sent_by_us(request.headers),
        )
        try:
            return answer(request, maker(state, state.store(), asked))
        except SimworldError as error:
            return answer(request, error_page(error))
        except Exception as error:
            if (known := explain_damage(state.url, error)) is None:
                raise
            return answer(request, error_page(known))

    return respond


def error_page(error: SimworldError) -> Page:
    """A known error as a page: what is wrong, line by line, and what to do."""
    match error:
        case PageNotFound():
            title, status = "Not found", 404
        case InputError():
            title, status = "This cannot be shown", 400
        case StoreMismatch():
            title, status = "This database cannot be read", 503
        case StoreError():
            title, status = "The database does not answer", 503
        case _:
            title, status = "This cannot be shown now", 503
    return Page(
        template="error.html", title=title, values={"lines": str(error).splitlines()}, status=status
    )


def http_page(status: int) -> Page:
    """A page for what is no page of ours."""
    wording = {
        404: (
            "No such page",
            "There is no page at this address; the links above lead to those that there are.",
        ),
        405: ("Only reading", "These pages can only be read."),
    }.get(
        status,
        (
            "An error in simworld",
            "This page could not be made; the terminal of `simworld serve` shows why.",
        ),
    )
    return Page(
        template="error.html", title=wording[0], values={"lines": [wording[1]]}, status=status
    )
