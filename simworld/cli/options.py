"""Options that every command shares, so that they read the same everywhere."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simworld.core.counts import counted
from simworld.core.errors import SimworldError
from simworld.jobs.database import DB_VARIABLE, DEFAULT_DB, explaining_damage

if TYPE_CHECKING:
    from agents.lm.server.options import ServerFields
    from simworld.core.stopping import MaxFailures, StopTracker

Command = TypeVar("Command", bound=Callable[..., Any])

EXPECTED_ERRORS = (SimworldError, click.ClickException, click.exceptions.Exit, click.Abort, OSError)


def _watch_for_damage(ctx: click.Context, param: click.Parameter, value: str) -> str:
    ctx.with_resource(explaining_damage(value, EXPECTED_ERRORS))
    return value


db_option = click.option(
    "--db",
    "db",
    metavar="URL",
    envvar=DB_VARIABLE,
    default=DEFAULT_DB,
    show_envvar=True,
    callback=_watch_for_damage,
    help="The database: sqlite:///FILE, a file name, or postgresql://USER@HOST/NAME.",
)


def option_group(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator; help lists them in this order."""

    def add_options(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add_options


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _allow_imports(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from simworld.extensions.import_permission import imports_allowed

        ctx.with_resource(imports_allowed())


allow_import_option = click.option(
    "--allow-import",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_allow_imports,
    help=(
        "Import code that files name by a path, `package.module:name`, also of the working folder."
        " Only for files that you trust; installed extensions need no permission."
    ),
)

threads_option = click.option(
    "--threads",
    "cpu_threads",
    type=click.IntRange(min=1),
    envvar="SIMWORLD_THREADS",
    show_envvar=True,
    help="Of a local model; default: the cores that this process may use.",
)


def _gb_to_bytes(ctx: click.Context, param: click.Parameter, value: float | None) -> int | None:
    return None if value is None else max(1, int(value * 1e9))


memory_option = click.option(
    "--memory",
    "cache_bytes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GB",
    callback=_gb_to_bytes,
    help=(
        "For the caches of local models; fewer conversations are under way where it is short."
        " Default: a quarter of what is free."
    ),
)

profile_option = click.option(
    "--profile", "with_profile", is_flag=True, help="Print where the time went."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """How servers are asked, and when the command stops by itself."""

    server: ServerFields  # over what the files of agents and judges say
    stopping: StopTracker


class _MaxFailuresType(click.ParamType["MaxFailures"]):
    """A number, or a share: `10%`, `0.1`."""

    name = "N|share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> MaxFailures:
        from simworld.core.stopping import MaxFailures

        text = str(value).strip()
        if re.fullmatch(r"[0-9]{1,12}", text):
            return MaxFailures(count=int(text))
        if match := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%|([01]\.[0-9]{1,6})", text):
            share = float(match[1]) / 100 if match[1] else float(match[2])
            if share <= 1:
                return MaxFailures(share=share)
        return self.fail(
            f"{text[:40]!r} is neither a number nor a share; write 20, 10% or 0.1", param, ctx
        )


def _reject_nan(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # compares with no range
        raise click.BadParameter("expected a number of seconds, found nan", ctx, param)
    return value


_REQUEST_LIMITS = option_group(
    click.option(
        "--concurrency",
        type=click.IntRange(min=1, max=10_000),
        help="Requests open at a server; default: its file's, else 8.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=1e6),
        metavar="SECONDS",
        callback=_reject_nan,
        help="Of one attempt at a server; default: its file's, else 120.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0, max=100),
        help="At a server, after the first attempt; default: its file's, else 5.",
    ),
    click.option(
        "--max-failures",
        type=_MaxFailuresType(),
        metavar="N|SHARE",
        help=(
            "Stop once more episodes or judgements have failed: a number, or a share of those to do"
            " (10%, 0.1). Default: what fails is stored, and the rest goes on."
        ),
    ),
    click.option(
        "--budget-tokens",
        type=click.IntRange(min=1),
        metavar="N",
        help=(
            "Begin nothing more that would not fit into so many tokens of servers, prompts and"
            " replies together."
        ),
    ),
)


def request_limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """For commands that ask servers: adds their options, which the command gets together as
    `limits: RequestLimits`.
    """

    @functools.wraps(command)
    def with_limits(
        *,
        concurrency: int | None,
        timeout: float | None,
        retries: int | None,
        max_failures: MaxFailures | None,
        budget_tokens: int | None,
        **other_options: Any,
    ) -> None:
        from agents.lm.server.options import ServerFields
        from simworld.core.stopping import StopTracker

        server = ServerFields(concurrency=concurrency, timeout=timeout, retries=retries)
        stopping = StopTracker(budget_tokens=budget_tokens, max_failures=max_failures)
        command(limits=RequestLimits(server=server, stopping=stopping), **other_options)

    return _REQUEST_LIMITS(with_limits)


def token_usage_line(stopping: StopTracker) -> str:
    """What servers were asked, for people; empty where none was."""
    read_and_written = f"{stopping.prompt_tokens:,} read, {stopping.new_tokens:,} written"
    return (
        f"Servers: {counted(stopping.used_tokens, 'token')} ({read_and_written}) in"
        f" {counted(stopping.answered_requests, 'reply', 'replies')}."
        if stopping.answered_requests
        else ""
    )


def token_usage_json(stopping: StopTracker) -> dict[str, Any]:
    """What servers were asked, for programs; empty where none was."""
    counts = {
        "prompt": stopping.prompt_tokens,
        "new": stopping.new_tokens,
        "replies": stopping.answered_requests,
    }
    return {"tokens": counts} if stopping.answered_requests else {}
