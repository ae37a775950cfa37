"""Replies as judges write them: what is taken as the verdict, what is asked again, and how long
reading may take."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.judgement import Dimension
from simworld.judging.json_in_text import find_json
from simworld.judging.verdict_parsing import (
    UnusableReply,
    find_missing_reason,
    parse_score,
    parse_verdicts,
)

GOAL = Dimension(name="goal", low=0, high=10, question="?")
SECRET = Dimension(name="secret", low=-10, high=0, question="?")
TIE = Dimension(name="relationship", low=-5, high=5, question="?")
SHARE = Dimension(name="share", low=0, high=1, question="?")
KEYS = {"Ann": [GOAL], "Bob": [GOAL]}
VERDICT = {
    "Ann": {"goal": {"reason": "because", "score": 2}},
    "Bob": {"goal": {"reason": "so", "score": 9}},
}
OTHER = json.dumps(VERDICT).replace("9", "3")
TEXT = json.dumps(VERDICT)
RIGHT = {("Ann", "goal"): (2.0, "because"), ("Bob", "goal"): (9.0, "so")}


def refusal(text: str, *, cut: bool = False) -> UnusableReply:
    with pytest.raises(UnusableReply) as error:
        parse_verdicts(text, KEYS, was_cut=cut)
    return error.value


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"Here is my verdict:\n```json\n{json.dumps(VERDICT, indent=1)}\n```\nLet me know!",
        f"```JSON\n{TEXT}\n```",
        f"``` json5\n{TEXT}\n```",
        f"~~~\n{TEXT}\n~~~",
        f"<think>\nHmm {{maybe}} 3?\n</think>\n{TEXT}",
        f"Let me see, Nadia {{did}} well.\n</think>\n{TEXT}",
        f"<think>A draft: {OTHER}</think>\n{TEXT}",
        f"A draft: {OTHER}</thinking>\n{TEXT}",
        f"[THINK]{OTHER}[/THINK]{TEXT}",
        f"{TEXT}\n<think>or rather {OTHER}",
        f"Considering {{everything}}, my verdict: {TEXT}",
        f"The form is {json.dumps({'Ann': {'goal': {'reason': '…', 'score': '…'}}})}. So: {TEXT}",
        f"{TEXT}\n{TEXT}",  # said twice, alike
        TEXT[:-1] + ",}",
        TEXT.replace("}}", "},\n }"),
        f"Mine: {TEXT[:-1]} , }} ",
        TEXT.replace("because", "be\ncause").replace("be\ncause", "\tbecause\n"),
        json.dumps({"evaluations": VERDICT}),
        json.dumps({"thoughts": "Ann {did} it", "result": {"verdict": VERDICT}}),
        json.dumps([VERDICT]),
        json.dumps({"answer": TEXT}),
        json.dumps(TEXT),
        f"Sure.\n{json.dumps([VERDICT])}",
        TEXT.replace('"score": 2', '"score": "2"').replace('"score": 9', '"score": 9.0'),
        TEXT.replace('"score": 2', '"score": "2/10"').replace(
            '"score": 9', '"score": "9 (she won)"'
        ),
    ],
)
def test_one_verdict_is_found_wherever_it_stands(text: str) -> None:
    assert parse_verdicts(text, KEYS) == RIGHT


@pytest.mark.parametrize(
    "reason",
    [
        "They wrote ```json {} ``` in the talk",
        f"They wrote ```json {OTHER} ``` in the talk",
        "{maybe} 3? }{ ]",
        "<think>no</think>",
        'quoted "a", } and \\ and ,]',
    ],
)
def test_what_stands_in_a_reason_is_a_reason(reason: str) -> None:
    verdict = {
        "Ann": {"goal": {"reason": reason, "score": 2}},
        "Bob": {"goal": {"reason": "so", "score": 9}},
    }
    expected = RIGHT | {("Ann", "goal"): (2.0, reason)}
    assert parse_verdicts(json.dumps(verdict), KEYS) == expected
    assert parse_verdicts(json.dumps(verdict)[:-1] + ",}", KEYS) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"{TEXT} or perhaps {OTHER}", "ambiguous"),
        (json.dumps([VERDICT, json.loads(OTHER)]), "ambiguous"),
        (json.dumps({"first": VERDICT, "second": json.loads(OTHER)}), "ambiguous"),
        (f"<think>{TEXT}", "empty"),
        (f"<think>{TEXT}</think>", "empty"),
        (f"<thinking>{TEXT}</thinking>I am done.", "not-json"),
        (f'He said {{"a": "{TEXT}"}}', "not-json"),  # inside what cannot be read: quoted
        (
            f'{{"Ann": {{"goal": {{"reason": "he wrote ```json\n{TEXT}\n```", "score": 1}}}}}}',
            "not-json",
        ),
        (f"I am torn :{{ {TEXT}", "not-json"),
        (json.dumps(TEXT)[:-9], "not-json"),
        ('{"Ann": {"goal": 2}, "Bob": {"goal": 9}}', "missing-dimension"),
        (
            '{"Ann": {"reason": "x", "score": 2}, "Bob": {"reason": "x", "score": 2}}',
            "missing-dimension",
        ),
        (json.dumps([{name: about} for name, about in VERDICT.items()]), "missing-seat"),
        (TEXT.replace('"score": 9', '"score": 8, "score": 9'), "not-json"),
        (json.dumps({"wrap": json.loads(TEXT.replace("9", "42"))}), "out-of-range"),
        (TEXT.replace("9", "null"), "not-a-number"),
        (TEXT.replace("9", "[9]"), "not-a-number"),
        (TEXT.replace("9", "9.5"), "not-whole"),
        (json.dumps({"a": {"b": {"c": {"d": {"e": VERDICT}}}}}), "missing-seat"),
    ],
)
def test_what_is_not_one_verdict_is_asked_again(text: str, kind: str) -> None:
    assert refusal(text).kind == kind


def test_a_reply_that_was_cut_says_so_unless_its_verdict_is_whole() -> None:
    assert refusal(TEXT[:-5], cut=True).kind == "truncated"
    assert parse_verdicts(f"{TEXT} And I would like to", KEYS, was_cut=True) == RIGHT


def test_the_refusal_names_what_came_nearest() -> None:
    far = json.dumps({"Ann": 1})
    near = json.dumps(VERDICT).replace("9", "99")
    assert str(refusal(f"{far} {near} {far}")) == "'Bob', 'goal': the score 99 is not in 0 to 10."


@pytest.mark.parametrize(
    ("written", "dimension", "score"),
    [
        (8, GOAL, 8),
        (8.0, GOAL, 8),
        ("8", GOAL, 8),
        (" 8. ", GOAL, 8),
        ("8.0", GOAL, 8),
        ("+8", GOAL, 8),
        ("8/10", GOAL, 8),
        ("8 / 10", GOAL, 8),
        ("8 out of 10", GOAL, 8),
        ("0 (nothing happened)", GOAL, 0),
        ("7 (sold it for 65 euros)", GOAL, 7),
        ("7/10 (good)", GOAL, 7),
        ("7: she sold it", GOAL, 7),
        ("7 - she sold it", GOAL, 7),
        ("7 — she sold it", GOAL, 7),
        ("-3", TIE, -3),
        ("−3", TIE, -3),
        ("3/5", TIE, 3),
        ("0/10", SECRET, 0),
        ("-4/10", SECRET, -4),
        ("0.25", SHARE, 0.25),
    ],
)
def test_a_score_in_words_is_a_number(written: object, dimension: Dimension, score: float) -> None:
    assert parse_score(written, "Ann", dimension) == score


@pytest.mark.parametrize(
    ("written", "dimension", "kind"),
    [
        ("", GOAL, "not-a-number"),
        ("high", GOAL, "not-a-number"),
        ("…", GOAL, "not-a-number"),
        ("7-8", GOAL, "not-a-number"),
        ("7 - 8", GOAL, "not-a-number"),
        ("7 or 8", GOAL, "not-a-number"),
        ("0-10", GOAL, "not-a-number"),
        ("8,5", GOAL, "not-a-number"),
        ("8 9", GOAL, "not-a-number"),
        ("2 of 3 goals", GOAL, "not-a-number"),
        ("8/100", GOAL, "not-a-number"),  # another scale
        ("0/0", GOAL, "not-a-number"),
        ("0/10", TIE, "not-a-number"),  # the middle of our scale, the bottom of that one
        ("nan", GOAL, "not-a-number"),
        ("11/10", GOAL, "out-of-range"),
        ("4/10", SECRET, "out-of-range"),
        ("42 (wow)", GOAL, "out-of-range"),
        ("9" * 900, GOAL, "out-of-range"),
        ("9" * 9000, GOAL, "out-of-range"),
        ("6.5", GOAL, "not-whole"),
        (True, GOAL, "not-a-number"),
        ({"value": 3}, GOAL, "not-a-number"),
    ],
)
def test_a_score_that_is_no_number_of_the_range_is_refused(
    written: object, dimension: Dimension, kind: str
) -> None:
    with pytest.raises(UnusableReply) as error:
        parse_score(written, "Ann", dimension)
    assert error.value.kind == kind


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"Reason": "They met.", "Score": 7}, "They met."),
        ({"reasoning": " They met. ", "score": 7}, "They met."),
        (
            {"reasons": ["They met.", "They shook hands."], "score": 7},
            "They met. They shook hands.",
        ),
        ({"reason": "…", "rationale": "They met.", "score": 7}, "They met."),
        ({"reason": {"a": "They met."}, "score": 7}, ""),
        ({"confidence": "high", "score": 7}, ""),
        ({"reason": ["…", 3, None], "score": 7}, ""),
    ],
)
def test_a_reason_by_another_name_or_in_parts(written: object, reason: str) -> None:
    text = json.dumps({"Ann": {"goal": written}})
    scores = parse_verdicts(text, {"Ann": [GOAL]})
    assert scores == {("Ann", "goal"): (7.0, reason)}
    problem = find_missing_reason(scores)
    assert (problem is None) is bool(reason)
    assert problem is None or problem.kind == "missing-reason"


PROSE = st.text(
    alphabet=st.characters(exclude_characters='{}"[]<>', exclude_categories=["Cs"]), max_size=30
)


@given(
    names=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3, unique_by=str.casefold),
    reason=st.text(max_size=40),
    score=st.integers(0, 10),
    before=PROSE,
    after=PROSE,
    wraps=st.lists(st.sampled_from(["list", "object", "fence", "text"]), max_size=2),
    indent=st.sampled_from([None, 1]),
)
def test_what_a_judge_wrote_comes_back(
    names: list[str],
    reason: str,
    score: int,
    before: str,
    after: str,
    wraps: list[str],
    indent: int | None,
) -> None:
    verdict: object = {name: {"goal": {"reason": reason, "score": score}} for name in names}
    for wrap in wraps:
        verdict = {"list": [verdict], "object": {"x\0y": verdict}, "text": json.dumps(verdict)}.get(
            wrap, verdict
        )
    text = json.dumps(verdict, indent=indent)
    if "text" not in wraps:  # a text in prose is a quotation
        text = (
            f"{before}\n```json\n{text}\n```\n{after}"
            if "fence" in wraps
            else f"{before}{text}{after}"
        )
    keys = {name: [GOAL] for name in names}
    assert parse_verdicts(text, keys) == {
        (name, "goal"): (float(score), reason.strip() if re.search(r"\w", reason) else "")
        for name in names
    }


@given(st.text(alphabet='{}[]":,\\ \n0a<think>/', max_size=200))
def test_no_text_does_anything_but_give_scores_or_a_refusal(text: str) -> None:
    with contextlib.suppress(UnusableReply):
        parse_verdicts(text, KEYS)


@pytest.mark.parametrize(
    "unit",
    [
        "{", "}", "{}", '{"', '{"a":', '{"a":[', '{"a":1}', '{"a}', '{"a":"', '{"a":1,}', '{"a":1,,}', "[", '["', '"', '\\"',
        '"\\', ",", ", ", '{"a":1,\n', "<think>", "</think>", "```json\n{", "{ ", '{"Ann":{"goal":{"score":3}},',
        '{"Ann":{"goal":{"reason":"x","score":3}}}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("opened", ["", '{"a": ', "["])
def test_every_long_text_without_a_verdict_is_refused(unit: str, opened: str) -> None:
    # milliseconds, or a second at worst; what is not linear takes minutes
    text = opened + unit * (450_000 // len(unit))
    with pytest.raises(UnusableReply):
        parse_verdicts(text, KEYS)


def test_a_reply_beyond_all_measure_is_not_read() -> None:
    assert "characters" in find_json("{" * 1_000_000).broken
