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
from simworld.web.html import NAVIGATION, DatabaseHeading, make_environment, render_page
from simworld.web.page import Page, PageMaker
from simworld.web.page_request import PageNotFound, PageRequest
from simworld.web.pages import agent, db, episode, run, scenario, search, tournament, train
from simworld.web.request_guard import SecurityHeaders, is_same_origin, restrict_hosts
from store.damage import explain_damage
from store.database_address import parse_address

STATIC = Path(__file__).parent / "static"
MAX_THREADS = 8  # pages that are made at once; more would only wait for the same two or four cores
PAGES: Mapping[str, PageMaker] = {
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
    templates = make_environment()
    heading = DatabaseHeading(full=str(parse_address(url)))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = MAX_THREADS
        yield
        state.close()

    def page_response(request: Request, page: Page) -> Response:
        shared = {
            "title": page.title,
            "section": navigation_entry(request.url.path),
            "where": heading,
        }
        return HTMLResponse(
            render_page(templates, page.template, {**shared, **page.values}),
            status_code=page.status,
        )

    async def on_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        response = page_response(request, http_page(status))
        response.headers.update(headers or {})
        return response

    routes = [
        Route(path, make_endpoint(state, maker, page_response), methods=["GET"])
        for path, maker in PAGES.items()
    ]
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=STATIC))],
        exception_handlers={HTTPException: on_error, Exception: on_error},
        lifespan=lifespan,
    )
    return restrict_hosts(SecurityHeaders(app), hosts)


def navigation_entry(path: str) -> str:
    """The entry of the navigation under which a page is found."""
    group = path.split("/")[1]
    entry_by_group = {"run": "/", "agent": "/episode/list", "db": "/db/query"}
    entries = [entry for entry, _ in NAVIGATION if entry == path] or [entry_by_group.get(group, "")]
    return entries[0] or next(
        (entry for entry, _ in NAVIGATION if entry.startswith(f"/{group}/")), ""
    )


def make_endpoint(
    state: AppState, maker: PageMaker, page_response: Callable[[Request, Page], Response]
) -> Callable[[Request], Response]:
    """What answers the requests for one page."""

    def respond(request: Request) -> Response:
        page_request = PageRequest(
            path=request.path_params,
            query=dict(request.query_params),
            same_origin=is_same_origin(request.headers),
        )
        try:
            return page_response(request, maker(state, state.store(), page_request))
        except SimworldError as error:
            return page_response(request, error_page(error))
        except Exception as error:
            if (explained := explain_damage(state.url, error)) is None:
                raise
            return page_response(request, error_page(explained))

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
