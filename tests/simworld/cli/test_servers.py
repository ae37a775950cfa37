"""Playing and judging at servers from the command line: keys, patience, stops, budgets, and judges
of many sorts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from simworld.cli import cli
from simworld.core.errors import BudgetSpent, Stopped
from simworld.core.judgement import Judgement
from store import open_store
from tests.agents.lm.server.faults import FaultyServer, serving

SCENE = """\
name: kitchen
setting: A kitchen in the evening.
seats:
  - {name: cook, persona: {name: Ann Lee}, goal: Get help with the dishes.}
  - {name: guest, persona: {name: Bo Ek}, goal: Leave early.}
limits: {turns: 2}
rubric: r.yaml
"""
RUBRIC = """\
name: r
dimensions:
  - {name: goal, range: [0, 10], question: 'Did {name} reach this: {goal}?'}
  - {name: manners, range: [-10, 0], question: 'Was {name} polite?'}
"""
LINES = ("Would you dry the plates?", "I have to go soon.")
Rule = Callable[[dict[str, Any]], tuple[int, Any] | None]


def chat(content: Any, **message: Any) -> tuple[int, Any]:
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 90, "completion_tokens": 10}
    return 200, {"choices": [{"message": said, "finish_reason": "stop"}], "usage": usage}


def no(status: int, message: str, **more: Any) -> tuple[int, Any]:
    return status, {"error": {"message": message, **more}}


def verdicts(body: dict[str, Any], score: Any = 0) -> dict[str, Any]:
    """What the form in the prompt asks for, which stands there with or without a schema."""
    prompt = next(
        m["content"] for m in body["messages"] if "JSON object of this form" in m["content"]
    )
    form = json.loads(prompt[prompt.rindex("of this form:\n") + len("of this form:\n") :])
    return {
        name: {
            d: {"reason": "because", "score": score(d) if callable(score) else score} for d in asked
        }
        for name, asked in form.items()
    }


def is_judging(body: dict[str, Any]) -> bool:
    return any("JSON object of this form" in message["content"] for message in body["messages"])


def well(body: dict[str, Any]) -> tuple[int, Any]:
    """Plays and judges."""
    if is_judging(body):
        return chat(json.dumps(verdicts(body)))
    return chat(LINES["Bo Ek" in body["messages"][0]["content"][:40]])


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as made:
        made.rule = well
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultyServer) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMWORLD_DB", "sqlite:///x.db")
    (tmp_path / "kitchen.yaml").write_text(SCENE)
    (tmp_path / "r.yaml").write_text(RUBRIC)
    agent(tmp_path, "lm", server)
    judge(tmp_path, server)
    return tmp_path


def agent(folder: Path, name: str, server: FaultyServer, more: str = "") -> None:
    text = (
        f"name: {name}\nmodel: openai:{name}@{server.url}\nprompt: chat\nretries:"
        f" 0\nmax_similarity: 1\n{more}"
    )
    (folder / f"{name}.yaml").write_text(text)


def judge(folder: Path, server: FaultyServer, more: str = "") -> None:
    text = f"name: j\nmodel: openai:judge@{server.url}\nmethod: server\nretries: 0\n{more}"
    (folder / "j.yaml").write_text(text)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def play(repeats: int = 6, *more: str) -> Result:
    return call("run", "kitchen.yaml", "--cast", "*=lm.yaml", "--repeats", str(repeats), *more)


def judged(*more: str) -> Result:
    return call("judge", "run", "--judge", "j.yaml", *more)


def scores() -> list[float]:
    return [verdict.score for judgement in judgements() for verdict in judgement.verdicts]


def judgements() -> list[Judgement]:
    with open_store("sqlite:///x.db") as store:
        ids = [summary.id for summary in store.episode_summaries()]
        return [
            stored.judgement
            for made in store.judgements_by_episode(ids).values()
            for stored in made
        ]


@pytest.mark.usefixtures("folder")
def test_tokens_are_told_at_the_end() -> None:
    assert (
        play(2).stdout.splitlines()[-2]
        == "Servers: 400 tokens (360 read, 40 written) in 4 replies."
    )
    assert (
        judged().stdout.splitlines()[-2]
        == "Servers: 400 tokens (360 read, 40 written) in 4 replies."
    )
    assert judged().stdout.splitlines()[-1] == "next: simworld episode list --db sqlite:///x.db"
    assert "tokens" not in json.loads(play(2, "--json").stdout)
    assert json.loads(play(3, "--json").stdout)["tokens"] == {
        "prompt": 180,
        "new": 20,
        "replies": 2,
    }


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (no(401, "Incorrect API key provided"), "HTTP 401: Incorrect API key provided"),
        (no(403, "Your project has no access"), "HTTP 403: Your project has no access"),
        (no(404, "The model `lm` does not exist"), "HTTP 404: The model `lm` does not exist"),
        (
            no(429, "You exceeded your current quota", code="insufficient_quota"),
            "You exceeded your current quota",
        ),
        (no(402, "Insufficient Balance"), "HTTP 402: Insufficient Balance"),
        (no(400, "API key not valid"), "HTTP 400: API key not valid"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_no_retry_can_mend_stops_and_the_same_command_does_the_rest(
    server: FaultyServer, refusal: tuple[int, Any], words: str
) -> None:
    server.rule = lambda body: refusal
    stopped = play(20, "--retries", "3", "--live", "4")
    assert isinstance(stopped.exception, Stopped)
    assert stopped.exception.exit_code == 2
    assert words in str(stopped.exception)
    assert len(server.seen) < 20  # nothing was asked twice, and most episodes were not begun
    server.rule = well
    assert "20 episodes played (0 failed), 0 already there" in play(20).stdout
    server.rule = lambda body: refusal
    assert isinstance(judged().exception, Stopped)
    server.rule = well
    assert judged().stdout.startswith("20 scored, 0 failed, 0 already there")


@pytest.mark.usefixtures("folder")
def test_a_failed_judgement_names_boundary_and_kind_and_the_rest_goes_on(
    server: FaultyServer,
) -> None:
    play(10)
    faults = iter(["500", "ok", "body <html>", "ok", "ok", "drop", "ok", "ok", "ok", "500"] * 20)

    def rule(body: dict[str, Any]) -> tuple[int, Any] | None:
        fault = next(faults)
        server.faults = [fault]
        return None if fault != "ok" else well(body)

    server.rule = rule
    done = judged("--concurrency", "1")
    assert done.exit_code == 0
    scored, failed = (int(part.split()[0]) for part in done.stdout.splitlines()[0].split(", ")[:2])
    assert scored + failed == 10
    assert failed > 0
    assert "The last failure: model: " in done.stderr
    failures = [judgement.failure for judgement in judgements()]
    assert sum(failure is None for failure in failures) == scored
    assert {f"{f.boundary}: {f.kind}" for f in failures if f} <= {
        "model: http-500",
        "model: invalid",
    }
    told = json.loads(call("db", "query", "@unscored", "--json").stdout)
    assert all(row["message"].startswith(("model: http-500: ", "model: invalid: ")) for row in told)
    server.rule = well
    assert judged("--retry-failed").stdout.startswith(
        f"{failed} scored, 0 failed, {scored} already there"
    )


@pytest.mark.usefixtures("folder")
def test_too_many_failures_stop_where_a_number_was_given(server: FaultyServer) -> None:
    server.rule = lambda body: (200, {"choices": []})
    stopped = play(20, "--max-failures", "10%")
    assert isinstance(stopped.exception, Stopped)
    assert "of 20 episodes failed, more than --max-failures allows" in str(stopped.exception)
    server.rule = well
    assert play(20, "--retry-failed", "--max-failures", "0").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_a_budget_is_kept_and_the_same_command_goes_on() -> None:
    first = play(10, "--budget-tokens", "900")
    assert isinstance(first.exception, BudgetSpent)
    assert str(first.exception).startswith(
        "the budget of 900 tokens has no room for more (800 used)"
    )
    assert "4 episodes played (0 failed), 0 already there, 10 planned" in first.stdout
    assert (
        "6 episodes played (0 failed), 4 already there"
        in play(10, "--budget-tokens", "1200").stdout
    )
    first = judged("--budget-tokens", "450")
    assert isinstance(first.exception, BudgetSpent)
    assert first.stdout.startswith("2 scored, 0 failed, 0 already there")
    assert judged().stdout.startswith("8 scored, 0 failed, 2 already there")


def test_a_slow_judge_may_finish(folder: Path, server: FaultyServer) -> None:
    play(2)
    server.delay_s = 1.0
    judge(folder, server, "timeout: 0.3\n")
    assert judged().stdout.startswith("0 scored, 2 failed")
    assert judged("--timeout", "30", "--retry-failed").stdout.startswith("2 scored, 0 failed")
    judge(folder, server, "timeout: 30\none_call: true\n")
    assert judged().stdout.startswith("2 scored, 0 failed")


def test_two_servers_get_their_own_keys_in_one_command(
    folder: Path, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-makers-own")
    monkeypatch.setenv("PLAY_KEY", "key-of-the-player")
    monkeypatch.setenv("JUDGE_KEY", "key-of-the-judge")
    agent(folder, "lm", server, "api_key_env: PLAY_KEY\n")
    agent(folder, "plain", server, "timeout: 99\n")
    with serving() as other:
        other.rule = well
        judge(folder, other, "api_key_env: JUDGE_KEY\none_call: true\n")
        done = call(
            "evaluate", "--agents", "base=plain.yaml,other=lm.yaml", "--partners", "plain.yaml", "--scenarios",
            "kitchen.yaml", "--judge", "j.yaml", "--quality", "0", "--json",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        assert {headers.get("authorization") for headers in other.headers} == {
            "Bearer key-of-the-judge"
        }
    sent = {
        (body["model"], headers.get("authorization"))
        for body, headers in zip(server.seen, server.headers, strict=True)
    }
    assert sent == {("lm", "Bearer key-of-the-player"), ("plain", None)}
    assert b"key-of-the" not in (folder / "x.db").read_bytes()
    assert "key-of-the" not in done.output


@pytest.mark.parametrize(
    "rule",
    [
        lambda body: chat(None, reasoning_content=json.dumps(verdicts(body))),
        lambda body: chat(
            None,
            tool_calls=[
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": json.dumps(verdicts(body))},
                }
            ],
        ),
        lambda body: chat([{"type": "text", "text": json.dumps(verdicts(body))}]),
        lambda body: chat(
            f"<think>A draft: {json.dumps(verdicts(body, -1))}</think>{json.dumps(verdicts(body))}"
        ),
        lambda body: chat(
            f"A draft: {json.dumps(verdicts(body, -1))}</think>{json.dumps(verdicts(body))}"
        ),
        lambda body: chat(
            json.dumps(verdicts(body)), reasoning_content=json.dumps(verdicts(body, -1))
        ),
        lambda body: chat(f"```JSON\n{json.dumps(verdicts(body))}\n```"),
        lambda body: chat(json.dumps({"evaluations": verdicts(body, "0 (nothing happened)")})),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_verdict_is_read_wherever_a_server_puts_it(server: FaultyServer, rule: Rule) -> None:
    play(1)
    server.rule = rule
    done = judged()
    assert done.stdout.startswith("1 scored, 0 failed"), done.output
    assert scores() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "rule",
    [
        lambda body: chat(
            None, reasoning_content=f"A draft: {json.dumps(verdicts(body))}. Hm, or rather"
        ),
        lambda body: chat("I am done.", reasoning_content=json.dumps(verdicts(body))),
        lambda body: chat(f"<think>{json.dumps(verdicts(body))}"),
        lambda body: chat(f"{json.dumps(verdicts(body))}</think>"),
        lambda body: chat(
            [{"type": "thinking", "thinking": f"A draft: {json.dumps(verdicts(body))}"}]
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_verdict_is_never_taken_out_of_a_thought(server: FaultyServer, rule: Rule) -> None:
    play(1)
    server.rule = rule
    done = judged()
    assert done.exit_code == 0
    assert done.stdout.startswith("0 scored, 1 failed"), done.output
    assert scores() == []


def picky(*refused: str) -> Rule:
    """A server that refuses parameters, one by one."""

    def rule(body: dict[str, Any]) -> tuple[int, Any] | None:
        for name in refused:
            if name in body:
                return no(
                    400,
                    f"Unsupported parameter: '{name}' is not supported with this model.",
                    param=name,
                )
        if body.get("temperature", 1) != 1:
            return no(
                400,
                "Unsupported value: 'temperature' does not support 0.0 with this model.",
                param="temperature",
            )
        return well(body)

    return rule


@pytest.mark.parametrize(
    "rule",
    [
        picky(
            "max_tokens",
            "top_k",
            "min_p",
            "repetition_penalty",
            "repeat_penalty",
            "stop",
            "logprobs",
        ),
        picky("response_format"),
        picky("response_format", "logprobs", "seed", "top_p", "temperature"),
        lambda body: (
            no(400, "Invalid schema for response_format 'answer': enum value 0 does not validate")
            if "enum" in json.dumps(body.get("response_format", {}))
            else well(body)
        ),
    ],
)
def test_the_shipped_server_judge_works_with_models_that_refuse_parameters(
    folder: Path, server: FaultyServer, rule: Rule
) -> None:
    play(3)
    shipped = CliRunner().invoke(cli, ["judge", "show", "server", "--json"]).stdout
    spec = {
        name: value
        for name, value in json.loads(shipped)["spec"].items()
        if value not in (None, {}, "")
    }
    (folder / "j.yaml").write_text(
        json.dumps(spec | {"model": f"openai:judge@{server.url}", "retries": 0})
    )
    server.rule = rule
    assert judged().stdout.startswith("3 scored, 0 failed")


@pytest.mark.usefixtures("folder")
def test_a_thought_that_takes_all_tokens_is_no_verdict(server: FaultyServer) -> None:
    play(1)
    server.rule = lambda body: (
        200,
        {
            "choices": [
                {
                    "message": {
                        "content": None,
                        "reasoning_content": json.dumps(verdicts(body))[:-9],
                    },
                    "finish_reason": "length",
                }
            ]
        },
    )
    done = judged()
    assert done.stdout.startswith("0 scored, 1 failed")
    assert "The last failure: model: thinking" in done.stderr


EVALUATE = (
    *(
        "evaluate",
        "--agents",
        "base=lm.yaml,other=too.yaml",
        "--partners",
        "lm.yaml",
        "--scenarios",
        "kitchen.yaml",
    ),
    *("--judge", "j.yaml", "--quality", "0", "--repeats", "4", "--json"),
)


def test_an_evaluation_that_its_budget_cannot_pay_shows_nothing_and_goes_on(
    folder: Path, server: FaultyServer
) -> None:
    agent(folder, "too", server)
    gate = call(*EVALUATE, "--budget-tokens", "500", "--require", "other>base")
    assert gate.exit_code == 1
    assert gate.stdout == ""
    assert "has no room for more" in gate.stderr
    assert "what is required is not shown yet" in gate.stderr
    first = call(*EVALUATE, "--budget-tokens", "2500")
    assert isinstance(first.exception, BudgetSpent)
    done = call(*EVALUATE)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["arms"]["other"]["missing"] == 0
    assert "Servers: " in done.stderr


def test_an_evaluation_stops_where_the_judge_is_refused(folder: Path, server: FaultyServer) -> None:
    agent(folder, "too", server)
    server.rule = lambda body: (
        no(403, "no access to this model") if is_judging(body) else well(body)
    )
    stopped = call(*EVALUATE)
    assert isinstance(stopped.exception, Stopped)
    server.rule = well
    assert call(*EVALUATE).exit_code == 0


def test_a_tournament_keeps_its_budget_and_stops_and_goes_on(
    folder: Path, server: FaultyServer
) -> None:
    agent(folder, "too", server)
    (folder / "cup.yaml").write_text(
        "name: cup\nagents: [lm.yaml, too.yaml]\nscenarios: [kitchen.yaml]\nformat:"
        " round_robin\nrepeats: 5\njudges: [j.yaml]\n"
    )
    server.rule = lambda body: no(401, "who are you") if body["model"] == "judge" else well(body)
    assert isinstance(call("tournament", "run", "cup.yaml").exception, Stopped)
    server.rule = well
    first = call("tournament", "run", "cup.yaml", "--budget-tokens", "1000")
    assert isinstance(first.exception, BudgetSpent)
    assert "Servers: 1,000 tokens" in first.stderr  # five of twenty judgements, 200 each
    done = call("tournament", "run", "cup.yaml", "--json")
    assert done.exit_code == 0
    assert "Servers: 3,000 tokens" in done.stderr


def test_a_branch_is_played_within_a_budget(folder: Path, server: FaultyServer) -> None:
    agent(folder, "too", server)
    play(1)
    with open_store("sqlite:///x.db") as store:
        (summary,) = store.episode_summaries()
    server.rule = lambda body: no(401, "who are you")
    failed = call(
        "episode", "branch", summary.id, "--at", "0", "--cast", "*=too.yaml", "--retries", "0"
    )
    assert failed.exit_code == 1
    server.rule = well
    again = call(
        "episode", "branch", summary.id, "--at", "0", "--cast", "*=too.yaml", "--retry-failed"
    )
    assert again.exit_code == 0


PAIRS = """\
- &pair
  setting: Two colleagues in the office
  seat: Carl
  goal: Get Dana to take his shift on Sunday
  dimension: goal
  better: |
    Carl: Could you take my shift on Sunday?
    Dana: All right, I will do it.
  worse: |
    Carl: Could you take my shift on Sunday?
    Dana: No, I will not do it. Ask somebody else.
- *pair
- *pair
"""


def test_a_check_of_a_judge_stops_where_it_is_refused(folder: Path, server: FaultyServer) -> None:
    (folder / "p.yaml").write_text(PAIRS)
    check = ("judge", "check", "--judge", "j.yaml", "--rubric", "r.yaml", "--pairs", "p.yaml")
    server.rule = lambda body: no(401, "who are you")
    assert isinstance(call(*check).exception, Stopped)
    server.rule = lambda body: chat("Nothing.")
    assert isinstance(call(*check, "--max-failures", "50%").exception, Stopped)
    assert "3 pairs were not judged" in call(*check).stderr
    server.rule = well
    assert "50 %" in call(*check).stdout
