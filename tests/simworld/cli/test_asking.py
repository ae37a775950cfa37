"""The options of commands that ask servers, the same everywhere."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.cli.options import Asking, asking_options, plain_tokens, tokens_used
from simworld.core.requests import Generate, Generated, Sampling, TextPrompt
from simworld.core.stopping import MaxFailures, StopRules

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


def given(*arguments: str) -> tuple[Asking | None, str]:
    got: list[Asking] = []

    @click.command()
    @asking_options
    def asked(asking: Asking) -> None:
        got.append(asking)

    result = CliRunner().invoke(asked, arguments)
    return (got[0] if got else None), result.output


def test_what_is_not_given_leaves_the_files_alone() -> None:
    asking, _ = given()
    assert asking is not None
    assert asking.server.backend_key() == ""
    assert (asking.stopping.budget_tokens, asking.stopping.max_failures) == (None, None)


def test_what_is_given_goes_before_the_files() -> None:
    asking, _ = given(
        "--timeout", "300", "--retries", "0", "--concurrency", "2", "--budget-tokens", "5000"
    )
    assert asking is not None
    assert (asking.server.timeout, asking.server.retries, asking.server.concurrency) == (300, 0, 2)
    assert asking.stopping.budget_tokens == 5000


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
    asking, _ = given("--max-failures", text)
    assert asking is not None
    assert asking.stopping.max_failures == most


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
    asking, output = given(option, text)
    assert asking is None
    assert option in output.splitlines()[-1]


def test_tokens_are_told_where_a_server_was_asked() -> None:
    stopping = StopRules()
    assert (tokens_used(stopping), plain_tokens(stopping)) == ("", {})
    request = Generate(prompt=TextPrompt(text=""), sampling=Sampling(), seed=0)
    reply = Generated(text="x", prompt_tokens=1200, new_tokens=34, finish="stop", latency_s=0)
    stopping.count_answer("openai:m@http://x", request, reply)
    assert tokens_used(stopping) == "Servers: 1,234 tokens (1,200 read, 34 written) in 1 reply."
    assert plain_tokens(stopping) == {"tokens": {"prompt": 1200, "new": 34, "replies": 1}}
