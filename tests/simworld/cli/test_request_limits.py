"""The options of commands that ask servers, the same everywhere."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.cli.options import (
    RequestLimits,
    request_limit_options,
    token_usage_json,
    token_usage_line,
)
from simworld.core.requests import Generate, Generated, Sampling, TextPrompt
from simworld.core.stopping import MaxFailures, StopTracker

OPTIONS = {"concurrency", "timeout", "retries", "max_failures", "budget_tokens"}
ASKING = (
    "run",
    "judge run",
    "judge check",
    "judge attribute",
    "tournament run",
    "evaluate",
    "learn",
    "episode branch",
)


def command(path: str) -> click.Command:
    found: click.Command = cli
    for name in path.split():
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), name)
        assert inner is not None
        found = inner
    return found


@pytest.mark.parametrize("path", ASKING)
def test_every_command_that_asks_servers_has_the_same_options(path: str) -> None:
    assert {param.name for param in command(path).params} >= OPTIONS


def given(*arguments: str) -> tuple[RequestLimits | None, str]:
    got: list[RequestLimits] = []

    @click.command()
    @request_limit_options
    def asked(limits: RequestLimits) -> None:
        got.append(limits)

    result = CliRunner().invoke(asked, arguments)
    return (got[0] if got else None), result.output


def test_what_is_not_given_leaves_the_files_alone() -> None:
    limits, _ = given()
    assert limits is not None
    assert limits.server.backend_key() == ""
    assert (limits.stopping.budget_tokens, limits.stopping.max_failures) == (None, None)


def test_what_is_given_goes_before_the_files() -> None:
    limits, _ = given(
        "--timeout", "300", "--retries", "0", "--concurrency", "2", "--budget-tokens", "5000"
    )
    assert limits is not None
    assert (limits.server.timeout, limits.server.retries, limits.server.concurrency) == (300, 0, 2)
    assert limits.stopping.budget_tokens == 5000


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("0", MaxFailures(count=0)),
        ("20", MaxFailures(count=20)),
        ("1", MaxFailures(count=1)),
        ("10%", MaxFailures(share=0.1)),
        ("2.5 %", MaxFailures(share=0.025)),
        ("100%", MaxFailures(share=1)),
        ("0.1", MaxFailures(share=0.1)),
        ("1.0", MaxFailures(share=1)),
    ],
)
def test_failures_are_a_number_or_a_share(text: str, most: MaxFailures) -> None:
    limits, _ = given("--max-failures", text)
    assert limits is not None
    assert limits.stopping.max_failures == most


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--max-failures", "-1"),
        ("--max-failures", "101%"),
        ("--max-failures", "1.5"),
        ("--max-failures", "few"),
        ("--max-failures", "nan"),
        ("--max-failures", "9" * 40),
        ("--timeout", "0"),
        ("--timeout", "inf"),
        ("--timeout", "nan"),
        ("--retries", "-1"),
        ("--concurrency", "0"),
        ("--concurrency", "99999"),
        ("--budget-tokens", "0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(option: str, text: str) -> None:
    limits, output = given(option, text)
    assert limits is None
    assert option in output.splitlines()[-1]


def test_tokens_are_told_where_a_server_was_asked() -> None:
    stopping = StopTracker()
    assert (token_usage_line(stopping), token_usage_json(stopping)) == ("", {})
    request = Generate(prompt=TextPrompt(text=""), sampling=Sampling(), seed=0)
    reply = Generated(text="x", prompt_tokens=1200, new_tokens=34, finish="stop", latency_s=0)
    stopping.count_answer("openai:m@http://x", request, reply)
    assert (
        token_usage_line(stopping) == "Servers: 1,234 tokens (1,200 read, 34 written) in 1 reply."
    )
    assert token_usage_json(stopping) == {"tokens": {"prompt": 1200, "new": 34, "replies": 1}}
