"""Log-odds and expectations, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.requests import Completion, ModelInfo, Request, Score, TextPrompt
from simworld.judging.judge import Judge
from simworld.judging.judge_spec import Calibration, JudgeSpec
from tests.factories.judging import (
    generated_reply,
    lamp_scenario,
    make_episode,
    run_judging,
    scored_reply,
    small_rubric,
)

SCENARIO = lamp_scenario()
EPISODE = make_episode(SCENARIO, ("seller", "Forty."), ("buyer", "*pays*"))


def judge(rubric: Rubric | None = None, **settings: object) -> Judge:
    spec = JudgeSpec.model_validate(
        {"name": "j", "model": "builtin:m", "method": "statements", "ask": "Outcome:"} | settings
    )
    info = ModelInfo(spec="builtin:m", id="m1", dtype="float32", context=None)
    rubric = rubric or small_rubric()
    return Judge(id=spec.id(info, rubric), spec=spec, rubric=rubric, info=info)


def verdicts(result: object) -> dict[tuple[str, str], Verdict]:
    assert isinstance(result, tuple)
    return {(v.seat, v.dimension): v for v in result}


AFTER = {
    " Ann won.": -2.0,
    " Ann lost.": -5.0,  # 3 for
    " Ann is glad.": -4.0,
    " Ann is sad.": -3.0,  # 1 against
    " Ann kept It flickers.": -9.0,
    " Ann told It flickers.": -7.0,  # 2 against
    " Bob won.": -4.0,
    " Bob lost.": -4.0,
    " Bob is glad.": -4.0,
    " Bob is sad.": -4.0,
}


def answer(request: Request) -> Completion:
    # Without the dialogue every statement has −3, but for "Ann won." with −2.5: a prior of 0.5.
    return scored_reply(
        request,
        lambda prompt, c: AFTER[c] if "Forty." in prompt else (-2.5 if c == " Ann won." else -3.0),
    )


def test_log_odds_are_summed_over_wordings_less_the_prior_and_mapped() -> None:
    found = verdicts(
        run_judging(
            judge(calibration={"goal": Calibration(a=2.0, b=-1.0)}).judge_episode(
                SCENARIO, EPISODE
            ),
            answer,
        )
    )
    ann = found["seller", "goal"]
    assert ann.raw == {"log_odds": 1.5, "log_odds_0": 3.0, "log_odds_1": -1.0, "prior": 0.5}
    assert ann.score == pytest.approx(10 / (1 + math.exp(-2.0)))  # 2 · 1.5 − 1
    assert found["buyer", "goal"].score == pytest.approx(10 / (1 + math.exp(1.0)))
    # no calibration: x itself
    assert found["seller", "secret"].score == pytest.approx(-10 + 10 / (1 + math.exp(2.0)))


def test_without_the_prior_one_request_is_made() -> None:
    asked: list[Request] = []

    def listening(request: Request) -> Completion:
        asked.append(request)
        return answer(request)

    found = verdicts(
        run_judging(judge(prior=False).judge_episode(SCENARIO, EPISODE, thread="e1"), listening)
    )
    assert found["seller", "goal"].raw == {"log_odds": 2.0, "log_odds_0": 3.0, "log_odds_1": -1.0}
    (request,) = asked
    assert isinstance(request, Score)
    assert set(request.continuations) == set(AFTER)
    assert isinstance(request.prompt, TextPrompt)
    assert request.prompt.text.endswith(
        "Bob's goal: Pay at most 20.\n\nAnn: Forty.\nBob: *pays*\n\nOutcome:"
    )
    assert request.thread == "e1"


def test_a_seat_without_a_secret_is_not_asked_and_has_nothing_to_lose() -> None:
    bob = verdicts(run_judging(judge().judge_episode(SCENARIO, EPISODE), answer))["buyer", "secret"]
    assert bob.score == 0.0
    assert bob.raw == {"asked": 0.0}


def test_only_the_wanted_seats_are_judged() -> None:
    found = verdicts(
        run_judging(judge().judge_episode(SCENARIO, EPISODE, seats=("buyer",)), answer)
    )
    assert {seat for seat, _ in found} == {"buyer"}


def test_a_failure_of_the_model_is_the_judgements_failure() -> None:
    failure = Failure(boundary="model", kind="too-long", message="3,000 tokens")
    assert run_judging(judge().judge_episode(SCENARIO, EPISODE), lambda request: failure) is failure


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_score(value: float) -> None:
    result = run_judging(
        judge().judge_episode(SCENARIO, EPISODE), lambda r: scored_reply(r, lambda p, c: value)
    )
    assert isinstance(result, Failure)
    assert (result.boundary, result.kind) == ("judge", "not-finite")


def test_a_backend_that_only_writes_text_is_a_failure() -> None:
    result = run_judging(judge().judge_episode(SCENARIO, EPISODE), lambda r: generated_reply("7"))
    assert isinstance(result, Failure)
    assert result.kind == "unexpected"


@pytest.mark.parametrize("settings", [{}, {"method": "answers", "answers": "yes-no"}])
def test_a_rubric_without_statements_is_named(settings: dict[str, object]) -> None:
    rubric = Rubric(
        name="bare", dimensions=(Dimension(name="wit", low=0, high=5, question="Is {name} witty?"),)
    )
    result = run_judging(judge(rubric, **settings).judge_episode(SCENARIO, EPISODE), answer)
    assert isinstance(result, Failure)
    assert result.kind == "no-statements"
    assert "wit" in result.message


def test_digits_map_linearly_and_their_mass_is_kept() -> None:
    # 0.1 on " 3", 0.3 on " 9", next to nothing elsewhere: (0.1·3 + 0.3·9) / 0.4 = 7.5 of 9, mass
    # 0.4.
    def digits(request: Request) -> Completion:
        return scored_reply(request, lambda p, c: math.log({" 3": 0.1, " 9": 0.3}.get(c, 1e-30)))

    found = verdicts(run_judging(judge(method="answers").judge_episode(SCENARIO, EPISODE), digits))
    assert found["seller", "goal"].score == pytest.approx(10 * 7.5 / 9)
    assert found["seller", "secret"].score == pytest.approx(-10 + 10 * 7.5 / 9)
    raw = found["seller", "goal"].raw
    assert raw["digit_mean"] == pytest.approx(7.5)
    assert raw["digit_mass"] == pytest.approx(0.4)
    assert raw["p9"] == pytest.approx(0.75)
    assert found["buyer", "secret"].raw == {"asked": 0.0}


@pytest.mark.parametrize("chat", [False, True])
def test_yes_and_no_count_with_both_spellings(chat: bool) -> None:
    shares = {"Yes": 0.2, "yes": 0.1, "No": 0.05, "no": 0.05}  # odds 3 to 1

    def yes(request: Request) -> Completion:
        return scored_reply(request, lambda p, c: math.log(shares[c.strip()]))

    asked = judge(
        method="answers", answers="yes-no", chat=chat, calibration={"every": {"a": 1.0, "b": 0.0}}
    )
    goal = verdicts(run_judging(asked.judge_episode(SCENARIO, EPISODE), yes))["seller", "goal"]
    assert goal.score == pytest.approx(7.5)
    assert goal.raw["log_odds"] == pytest.approx(math.log(3))
    assert goal.raw["answer_mass_0"] == pytest.approx(0.4)


@given(
    values=st.lists(st.floats(-1e6, 0), min_size=10, max_size=10),
    a=st.floats(1e-6, 1e6),
    b=st.floats(-1e6, 1e6),
)
def test_whatever_the_model_says_scores_stay_in_their_range(
    values: list[float], a: float, b: float
) -> None:
    by_text = dict(zip(AFTER, values, strict=True))
    asked = judge(prior=False, calibration={"every": Calibration(a=a, b=b)})
    for verdict in verdicts(
        run_judging(
            asked.judge_episode(SCENARIO, EPISODE),
            lambda r: scored_reply(r, lambda p, c: by_text[c]),
        )
    ).values():
        low, high = (0, 10) if verdict.dimension == "goal" else (-10, 0)
        assert low <= verdict.score <= high


def test_the_id_names_all_that_makes_the_judgement_and_nothing_else() -> None:
    plain = judge()
    assert judge(title="Other", samples=3).id == plain.id
    assert judge(prior=False).id != plain.id
    assert judge(ask="Summary:").id != plain.id
    assert judge(calibration={"goal": Calibration(a=2)}).id != plain.id
    assert judge(Rubric(name="small", dimensions=small_rubric().dimensions[:1])).id != plain.id
    other = ModelInfo(spec="builtin:m", id="m2", dtype="float32", context=None)
    assert plain.spec.id(other, plain.rubric) != plain.id
    assert plain.id.startswith("j@")
