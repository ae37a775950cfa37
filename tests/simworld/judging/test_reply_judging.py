"""A server's replies: what is asked, what is accepted, and what becomes a failure."""

from __future__ import annotations

import json
from collections.abc import Callable

import jsonschema
import pytest

from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.requests import ChatPrompt, Completion, Generate, ModelInfo, Request
from simworld.judging.judge import Judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.verdict_parsing import UnusableReply, parse_verdicts, verdict_schema
from tests.factories.judging import (
    generated_reply,
    lamp_scenario,
    make_episode,
    run_judging,
    small_rubric,
)

SCENARIO = lamp_scenario()
EPISODE = make_episode(SCENARIO, ("seller", "Forty."), ("buyer", "*pays*"))
GOAL, SECRET = small_rubric().dimensions
INFO = ModelInfo(spec="openai:m@http://x/v1", id="m1", dtype="", context=None)


def judge(rubric: Rubric | None = None, **settings: object) -> Judge:
    spec = JudgeSpec.model_validate(
        {"name": "s", "model": INFO.spec, "method": "server"} | settings
    )
    rubric = rubric or small_rubric()
    return Judge(id=spec.id(INFO, rubric), spec=spec, rubric=rubric, info=INFO)


def reply(**scores: dict[str, object]) -> str:
    return json.dumps(
        {
            name: {d: {"reason": f"{d} of {name}", "score": s} for d, s in about.items()}
            for name, about in scores.items()
        }
    )


class Server:
    """Gives the replies of a dimension one after the other, the last one for ever."""

    def __init__(self, **replies: list[Completion]) -> None:
        self.replies = replies
        self.asked: list[Generate] = []

    def __call__(self, request: Request) -> Completion:
        assert isinstance(request, Generate)
        self.asked.append(request)
        assert request.json_schema is not None
        (first, *_) = request.json_schema["properties"].values()
        queue = self.replies["+".join(first["properties"])]
        return queue.pop(0) if len(queue) > 1 else queue[0]


def text_of(request: Generate, index: int = -1) -> str:
    assert isinstance(request.prompt, ChatPrompt)
    return request.prompt.messages[index].content


def failed(result: object) -> Failure:
    assert isinstance(result, Failure)
    return result


GOALS = reply(Bob={"goal": 9}, Ann={"goal": 2})  # Bob first: verdicts go by key
SECRETS = reply(Ann={"secret": -4})


def test_one_call_per_dimension_and_verdicts_by_key() -> None:
    server = Server(goal=[generated_reply(GOALS)], secret=[generated_reply(SECRETS)])
    result = run_judging(judge().judge_episode(SCENARIO, EPISODE, thread="e1"), server)
    assert result == (
        Verdict(seat="seller", dimension="goal", score=2, reasoning="goal of Ann", raw={"asks": 1}),
        Verdict(
            seat="seller", dimension="secret", score=-4, reasoning="secret of Ann", raw={"asks": 1}
        ),
        Verdict(seat="buyer", dimension="goal", score=9, reasoning="goal of Bob", raw={"asks": 1}),
        Verdict(
            seat="buyer",
            dimension="secret",
            score=0,
            reasoning="nothing to judge",
            raw={"asked": 0.0},
        ),
    )
    goal, secret = server.asked
    assert "Did Ann reach this: Sell the lamp for 40 euros?" in text_of(goal)
    assert "Did Bob reach this: Pay at most 20?" in text_of(goal)
    assert "Ann: Forty.\nBob: *pays*" in text_of(goal)
    assert "Did Ann keep it: It flickers?" in text_of(secret)
    assert "Bob keep" not in text_of(secret)  # Bob has no secret
    assert secret.json_schema is not None
    assert list(secret.json_schema["properties"]) == ["Ann"]


def test_all_dimensions_in_one_call() -> None:
    whole = reply(Ann={"secret": -1, "goal": 5}, Bob={"goal": 6})
    replies: dict[str, list[Completion]] = {"goal+secret": [generated_reply(whole)]}
    server = Server(**replies)
    result = run_judging(judge(one_call=True).judge_episode(SCENARIO, EPISODE), server)
    assert isinstance(result, tuple)
    assert [v.score for v in result] == [5, -1, 6, 0]
    assert len(server.asked) == 1


def test_a_bad_reply_is_shown_with_its_error_and_asked_again() -> None:
    bad = reply(Ann={"goal": 11}, Bob={"goal": 9})
    server = Server(
        goal=[generated_reply(bad), generated_reply(GOALS)], secret=[generated_reply(SECRETS)]
    )
    result = run_judging(judge().judge_episode(SCENARIO, EPISODE), server)
    assert isinstance(result, tuple)
    assert result[0].raw == {"asks": 2}
    first, again, _ = server.asked
    assert text_of(again, -2) == bad
    assert "'Ann', 'goal': the score 11 is not in 0 to 10." in text_of(again)
    assert first.seed != again.seed


@pytest.mark.parametrize("reason", ["…", " ", "", ". - !", None, 7, [], ["…"]])
def test_a_score_without_a_reason_is_asked_again(reason: object) -> None:
    bare = json.dumps({name: {"goal": {"reason": reason, "score": 4}} for name in ("Ann", "Bob")})
    server = Server(
        goal=[generated_reply(bare), generated_reply(GOALS)], secret=[generated_reply(SECRETS)]
    )
    result = run_judging(judge().judge_episode(SCENARIO, EPISODE), server)
    assert isinstance(result, tuple)
    assert result[0].raw == {"asks": 2}
    assert result[0].reasoning == "goal of Ann"
    assert "'Ann', 'goal' has no reason." in text_of(server.asked[1])


def test_a_score_that_never_gets_its_reason_counts() -> None:
    """Also where what came after it was worse."""
    bare = '{"Ann": {"goal": {"score": 4}}, "Bob": {"goal": {"reason": "so", "score": 9}}}'
    for last in (bare, "I have said it."):
        server = Server(
            goal=[generated_reply(bare), generated_reply(last)], secret=[generated_reply(SECRETS)]
        )
        result = run_judging(judge(reasks=1).judge_episode(SCENARIO, EPISODE), server)
        assert isinstance(result, tuple)
        assert [(v.score, v.reasoning) for v in result if v.dimension == "goal"] == [
            (4, ""),
            (9, "so"),
        ]
        assert result[0].raw == {"asks": 2}


def test_after_the_last_reask_the_judgement_fails_and_says_why() -> None:
    server = Server(goal=[generated_reply("I would say seven.")])
    failure = failed(run_judging(judge(reasks=2).judge_episode(SCENARIO, EPISODE), server))
    assert (failure.boundary, failure.kind) == ("judge", "not-json")
    assert (
        failure.message == "3 replies could not be used; the last: there is no JSON object in it."
    )
    assert len(server.asked) == 3


def test_no_reasks_means_one_reply() -> None:
    server = Server(goal=[generated_reply("")])
    failure = failed(run_judging(judge(reasks=0).judge_episode(SCENARIO, EPISODE), server))
    assert failure.message == "the reply could not be used; the last: it is empty."


def test_a_network_failure_keeps_its_boundary() -> None:
    lost = Failure(boundary="model", kind="timeout", message="60 s")
    assert run_judging(judge().judge_episode(SCENARIO, EPISODE), Server(goal=[lost])) is lost


def test_samples_have_seeds_of_their_own() -> None:
    seeds = []
    for sample in (0, 1, 0):
        server = Server(goal=[generated_reply(GOALS)], secret=[generated_reply(SECRETS)])
        run_judging(judge().judge_episode(SCENARIO, EPISODE, sample=sample, thread="e1"), server)
        seeds.append([request.seed for request in server.asked])
    assert seeds[0] == seeds[2]
    assert not set(seeds[0]) & set(seeds[1])
    assert all(0 <= seed < 2**31 for seed in seeds[0])


def test_the_schema_asks_the_reason_first_and_lists_whole_scores() -> None:
    schema = verdict_schema({"Ann": [SECRET]})
    verdict = schema["properties"]["Ann"]["properties"]["secret"]
    assert list(verdict["properties"]) == ["reason", "score"]
    assert verdict["properties"]["score"] == {"type": "integer", "enum": list(range(-10, 1))}
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(SECRETS), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(reply(Ann={"secret": 1})), schema)


def test_a_range_without_whole_steps_takes_any_number() -> None:
    share = Dimension(name="share", low=0, high=1, question="?")
    assert verdict_schema({"Ann": [share]})["properties"]["Ann"]["properties"]["share"][
        "properties"
    ]["score"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
    }
    assert parse_verdicts(reply(Ann={"share": 0.25}), {"Ann": [share]}) == {
        ("Ann", "share"): (0.25, "share of Ann")
    }


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: f"```json\n{t}\n```",
        lambda t: f"Here it is:\n{t}\nI hope that helps.",
        lambda t: f"<think>Ann {{wins}}?</think>\n{t}",
        lambda t: t.replace('"goal"', '"Goal"').replace('"Ann"', '"ann"'),
        lambda t: t.replace(": 2}", ': "2"}'),
        lambda t: t.replace(": 2}", ": 2.0}"),
        lambda t: t.replace(": 2}", ': 2, "confidence": 1}'),
    ],
)
def test_tolerated(wrap: Callable[[str], str]) -> None:
    scores = parse_verdicts(wrap(GOALS), {"Ann": [GOAL], "Bob": [GOAL]})
    assert {key: score for key, (score, _) in scores.items()} == {
        ("Ann", "goal"): 2,
        ("Bob", "goal"): 9,
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("Nine.", "not-json"),
        ('{"Ann": {"goal": {"reason": "she', "not-json"),
        ('{"Ann": {"goal": {"reason": "x", "score": NaN}}}', "not-json"),
        ('{"Ann": {"goal": {"reason": "x", "score": 1e999}}}', "out-of-range"),
        ("{" * 100_000, "not-json"),
        ('{"a":' * 100_000, "not-json"),
        ("[]", "not-json"),
        ("{}", "missing-seat"),
        ('{"Bob": {"goal": {"reason": "x", "score": 3}}}', "missing-seat"),
        ('{"Ann": 7}', "missing-seat"),
        ('{"Ann": {}}', "missing-dimension"),
        ('{"Ann": {"goal": 7}}', "missing-dimension"),
        ('{"Ann": {"goal": {"reason": "x"}}}', "missing-score"),
        ('{"Ann": {"goal": {"score": null}}}', "not-a-number"),
        ('{"Ann": {"goal": {"score": true}}}', "not-a-number"),
        ('{"Ann": {"goal": {"score": "high"}}}', "not-a-number"),
        ('{"Ann": {"goal": {"score": "nan"}}}', "not-a-number"),
        ('{"Ann": {"goal": {"score": 10.5}}}', "out-of-range"),
        ('{"Ann": {"goal": {"score": -1}}}', "out-of-range"),
        ('{"Ann": {"goal": {"score": 1' + "0" * 400 + "}}}", "out-of-range"),
        ('{"Ann": {"goal": {"score": 6.5}}}', "not-whole"),
    ],
)
def test_refused(text: str, kind: str) -> None:
    with pytest.raises(UnusableReply) as error:
        parse_verdicts(text, {"Ann": [GOAL]})
    assert error.value.kind == kind


def test_a_reply_cut_at_the_token_limit_is_called_truncated() -> None:
    server = Server(goal=[generated_reply('{"Ann": {"goal": {"reason": "she', finish="length")])
    assert (
        failed(run_judging(judge(reasks=0).judge_episode(SCENARIO, EPISODE), server)).kind
        == "truncated"
    )
