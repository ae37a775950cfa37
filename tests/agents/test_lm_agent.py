"""An LM agent driven by hand, as a generator."""

from collections.abc import Sequence

import pytest

from agents.lm_agent import MAX_RAW_CHARS, LMAgent
from agents.prompting import PromptTemplate, build_prompt
from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import ActResult
from simworld.core.requests import Completion, Generate, Generated, ModelInfo, Sampling, Scored
from simworld.core.seeding import derive_seed
from simworld.testing import check_agent, example_observations, generated

TEMPLATE = PromptTemplate(style="script", instructions="{{name}} wants: {{goal}}")
TOO_LONG = Failure(boundary="model", kind="too-long", message="900 tokens, 512 fit")
OBSERVATIONS = example_observations()
FIRST, LAST = OBSERVATIONS[0], OBSERVATIONS[-1]


def make(*, reasks: int = 2, max_similarity: float = 0.6) -> LMAgent:
    return LMAgent(
        id="a1-x",
        model="fake:model#auto",
        info=ModelInfo(spec="fake:model", id="model-hash", dtype="float32", context=None),
        template=TEMPLATE,
        sampling=Sampling(temperature=0.7, max_new_tokens=9),
        reasks=reasks,
        max_similarity=max_similarity,
    )


def drive(
    agent: LMAgent, observation: Observation, answers: Sequence[str | Completion]
) -> tuple[list[Generate], ActResult]:
    """What the agent asked, one answer per request, and what it made of them; every answer must be
    used."""
    thinking = agent.act(observation)
    asked = [next(thinking)]
    for number, answer in enumerate(answers, 1):
        completion = generated(answer) if isinstance(answer, str) else answer
        try:
            asked.append(thinking.send(completion))
        except StopIteration as over:
            assert number == len(answers)
            assert all(isinstance(request, Generate) for request in asked)
            return [request for request in asked if isinstance(request, Generate)], over.value
    raise AssertionError("the agent still asks")


def act_of(reply: ActResult) -> Act:
    assert isinstance(reply, Act)
    assert reply.generation is not None
    return reply


def test_what_is_asked() -> None:
    (request,), _ = drive(make(), LAST, ["Fine."])
    assert request.prompt == build_prompt(TEMPLATE, LAST)
    assert request.sampling == Sampling(temperature=0.7, max_new_tokens=9)
    assert request.seed == LAST.seed
    assert request.stop == ("\n",)
    assert request.thread == f"{LAST.episode_seed}/a1-x/{LAST.seat}"


def test_an_act_says_what_made_it() -> None:
    answer = Generated(
        text=' "Fine. Then I',
        prompt_tokens=40,
        new_tokens=9,
        finish="length",
        latency_s=0.5,
        logprob=-12.5,
        dtype="bfloat16",
    )
    _, reply = drive(make(), FIRST, [answer])
    act = act_of(reply)
    assert (act.seat, act.action, act.plan) == (
        "host",
        Action(kind=ActionKind.speak, text="Fine."),
        None,
    )
    made = act.generation
    assert made is not None
    assert (made.model_id, made.dtype, made.prompt_version) == (
        "model-hash",
        "bfloat16",
        TEMPLATE.version,
    )
    assert (made.seed, made.prompt_tokens, made.new_tokens) == (FIRST.seed, 40, 9)
    assert (made.latency_s, made.logprob, made.finish, made.raw) == (
        0.5,
        -12.5,
        "length",
        ' "Fine. Then I',
    )
    assert (made.asks, made.dropped_events) == (1, 0)


def test_a_thought_is_kept_beside_the_act_and_never_said() -> None:
    answer = Generated(
        text="Fine.",
        prompt_tokens=4,
        new_tokens=9,
        finish="stop",
        latency_s=0.1,
        reasoning="Hide it.",
        reasoning_tokens=6,
    )
    act = act_of(drive(make(), FIRST, [answer])[1])
    assert act.action == Action(kind=ActionKind.speak, text="Fine.")
    assert act.generation is not None
    assert act.generation.raw == "<think>\nHide it.\n</think>\n\nFine."
    assert act.generation.reasoning_tokens == 6


def test_an_unusable_reply_is_asked_for_again_with_other_random_numbers() -> None:
    asked, reply = drive(make(), LAST, ["...", "Bo: Mine!", "Fine."])
    assert [request.seed for request in asked] == [
        LAST.seed,
        derive_seed(LAST.seed, "ask", 1),
        derive_seed(LAST.seed, "ask", 2),
    ]
    assert len({request.prompt for request in asked}) == 1
    made = act_of(reply).generation
    assert made is not None
    assert (made.seed, made.asks, made.raw) == (derive_seed(LAST.seed, "ask", 2), 3, "Fine.")


def test_when_every_reply_was_unusable_the_act_fails_and_shows_the_last() -> None:
    asked, reply = drive(make(reasks=1), FIRST, ["", "!" * 90])
    assert len(asked) == 2
    assert reply == Failure(
        boundary="reply",
        kind="empty",
        message=f"no usable reply in 2 asks; the last was {'!' * 77 + '...'!r}",
    )


WHO = (
    "(A reply that only one person is to hear begins with (to Bo) or (to Cleo), and all of it is"
    " for that person. Without such a mark everybody hears it. Nobody else is here.)"
)


def test_words_for_nobody_here_are_asked_for_again_with_a_note_of_who_is_here() -> None:
    asked, reply = drive(make(), FIRST, ["(to Boo) Take half of it.", "(to Bo) Take half of it."])
    assert asked[0].prompt == build_prompt(TEMPLATE, FIRST)
    assert asked[1].prompt == build_prompt(TEMPLATE, FIRST, note=WHO)
    assert asked[1].seed == derive_seed(FIRST.seed, "ask", 1)
    act = act_of(reply)
    assert act.action == Action(kind=ActionKind.speak, text="Take half of it.", to=("guest",))
    assert act.generation is not None
    assert act.generation.asks == 2


def test_the_note_stays_once_it_was_needed() -> None:
    asked, _ = drive(make(), FIRST, ["(whispers) Take it.", "...", "Fine."])
    assert [request.prompt for request in asked[1:]] == [
        build_prompt(TEMPLATE, FIRST, note=WHO)
    ] * 2


def test_words_for_nobody_here_are_never_said_to_all() -> None:
    asked, reply = drive(make(), FIRST, ["(to Boo) Half.", "Sure. (to Bo) Half.", "(to Boo) Half."])
    assert len(asked) == 3
    assert reply == Failure(
        boundary="reply",
        kind="private",
        message=(
            "no reply in 3 asks that says whom it is for: it is not clear who is meant by '(to"
            " Boo)'; the last was '(to Boo) Half.'"
        ),
    )


def test_a_repeat_said_to_all_beats_words_for_nobody() -> None:
    _, reply = drive(make(reasks=1), LAST, [earlier_line(), "(to Boo) Half."])
    assert act_of(reply).action.text == earlier_line()


def test_a_very_long_reply_is_stored_up_to_a_bound() -> None:
    _, reply = drive(make(max_similarity=1.0), FIRST, ["Fine. " * 50_000])
    made = act_of(reply).generation
    assert made is not None
    assert made.raw == ("Fine. " * 50_000)[:MAX_RAW_CHARS]


def test_without_reasks_one_reply_decides() -> None:
    assert isinstance(drive(make(reasks=0), FIRST, [""])[1], Failure)


def earlier_line() -> str:
    return LAST.events[0].action.text


def test_a_repeated_line_is_asked_for_again() -> None:
    asked, reply = drive(make(), LAST, [earlier_line(), "Something else entirely."])
    assert len(asked) == 2
    assert act_of(reply).action.text == "Something else entirely."


def test_a_repeat_is_accepted_at_the_end_and_every_request_counts() -> None:
    said = earlier_line()
    asked, reply = drive(make(), LAST, [said, said.upper(), f"{said} Yes."])
    assert len(asked) == 3
    act = act_of(reply)
    assert act.action.text == said  # the first one
    assert act.generation is not None
    assert (act.generation.asks, act.generation.seed) == (3, LAST.seed)


def test_a_repeat_beats_nothing() -> None:
    _, reply = drive(make(reasks=1), LAST, [earlier_line(), "..."])
    assert act_of(reply).action.text == earlier_line()


def test_repeats_can_be_allowed_and_gestures_may_come_again() -> None:
    _, reply = drive(make(max_similarity=1.0), LAST, [earlier_line()])
    assert act_of(reply).action.text == earlier_line()
    _, reply = drive(make(), LAST, [f"[{earlier_line().rstrip('.')}]"])
    assert act_of(reply).action.kind is not ActionKind.speak


def test_a_prompt_that_is_too_long_drops_the_oldest_and_says_so() -> None:
    assert len(LAST.events) == 5
    asked, reply = drive(make(), LAST, [TOO_LONG, TOO_LONG, "Fine."])
    # A quarter of what is left, at least one: 5 → 4 → 3 events.
    assert [request.prompt for request in asked] == [
        build_prompt(TEMPLATE, LAST, drop_events=n) for n in (0, 1, 2)
    ]
    # the same draw: no reply was seen yet
    assert {request.seed for request in asked} == {LAST.seed}
    made = act_of(reply).generation
    assert made is not None
    assert (made.dropped_events, made.asks) == (2, 3)


def test_a_prompt_that_never_fits_fails() -> None:
    asked, reply = drive(make(), LAST, [TOO_LONG] * 6)
    assert reply == TOO_LONG
    assert [request.prompt for request in asked][-1] == build_prompt(TEMPLATE, LAST, drop_events=5)
    assert drive(make(), FIRST, [TOO_LONG])[1] == TOO_LONG


def test_dropping_goes_on_across_reasks() -> None:
    asked, reply = drive(make(), LAST, [TOO_LONG, "...", "Fine."])
    assert asked[2].prompt == asked[1].prompt == build_prompt(TEMPLATE, LAST, drop_events=1)
    made = act_of(reply).generation
    assert made is not None
    assert (made.dropped_events, made.asks) == (1, 3)


def test_a_models_failure_is_the_acts() -> None:
    failure = Failure(boundary="model", kind="http-429", message="too many requests")
    assert drive(make(), FIRST, [failure])[1] is failure
    assert drive(make(), FIRST, ["...", failure])[1] is failure


def test_an_answer_of_another_kind_is_a_failure() -> None:
    scored = Scored(logprobs=(-1.0,), lengths=(1,), prompt_tokens=1, latency_s=0.0)
    assert drive(make(), FIRST, [scored])[1] == Failure(
        boundary="reply", kind="unexpected", message="the model gave Scored"
    )


def test_the_seed_does_not_name_the_agent() -> None:
    other = LMAgent(id="a1-y", model="m", info=make().info, template=TEMPLATE, sampling=Sampling())
    assert drive(other, LAST, ["Fine."])[0][0].seed == drive(make(), LAST, ["Fine."])[0][0].seed


@pytest.mark.parametrize("style", ["chat", "script"])
def test_it_keeps_the_promises_of_an_agent(style: str) -> None:
    template = PromptTemplate.model_validate({"style": style, "instructions": "Play {{name}}."})
    check_agent(
        LMAgent(id="a", model="m", info=make().info, template=template, sampling=Sampling())
    )
