"""States: what of a dialogue reaches a planner."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.prompting import event_line
from agents.steering.state_encoders import (
    LinesEncoder,
    LMEncoder,
    TextEncoder,
    lm_encoder_id,
    load_text_encoder,
    text_encoder_id,
)
from simworld.core.episode import Action, ActionKind, Event
from simworld.core.errors import ModelError
from simworld.core.requests import Encode, Encoded, TextPrompt
from simworld.testing import example_observations

OBSERVATIONS = example_observations()
LAST = OBSERVATIONS[-1]
PROMPT = TextPrompt(text="Ann:")


def test_the_models_state_and_the_share_of_turns_left() -> None:
    encoder = LMEncoder(id="lm-x")
    assert encoder.state_request(PROMPT, "t") == Encode(prompt=PROMPT, thread="t")
    answer = Encoded(state=np.array([1, -2], np.float32), prompt_tokens=3, latency_s=0)
    assert (LAST.turn, LAST.turns_limit) == (5, 6)
    state = encoder.make_state(LAST, answer)
    assert state.dtype == np.float32
    assert state.tolist() == [1, -2, np.float32(1 / 6)]
    assert encoder.make_state(OBSERVATIONS[0], answer)[-1] == 1
    with pytest.raises(TypeError, match="state is missing"):
        encoder.make_state(LAST, None)


def test_the_text_encoder_reads_what_the_seat_sees() -> None:
    read: list[tuple[str, Sequence[str]]] = []

    def embed(head: str, lines: Sequence[str]) -> NDArray[np.float32]:
        read.append((head, lines))
        return np.ones(3, np.float32)

    encoder = TextEncoder(id="text-x", embed=embed, size=3)
    assert encoder.state_request(PROMPT, "t") is None
    silent = replace(LAST.events[1], action=Action(kind=ActionKind.none))
    observation = replace(LAST, events=(LAST.events[0], silent, LAST.events[2]))
    assert encoder.make_state(observation, None).tolist() == [1, 1, 1, np.float32(1 / 6)]
    lines = [event_line(LAST.events[0], LAST), event_line(LAST.events[2], LAST)]
    assert read == [(f"{LAST.label}'s goal: {LAST.goal}", lines)]


def test_the_lines_encoder_reads_the_last_words_of_each_side() -> None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text), 1] for text in texts], np.float32)

    encoder = LinesEncoder(id="text-y", embed=embed, size=4)
    assert encoder.state_request(PROMPT, "t") is None
    mine, theirs = (event for event in LAST.events[-2:])
    mine = replace(mine, seat=LAST.seat, action=Action(kind=ActionKind.speak, text="Four"))
    theirs = replace(theirs, seat="else", action=Action(kind=ActionKind.speak, text="Seven!!"))
    silent = replace(theirs, action=Action(kind=ActionKind.none))
    dumb = replace(mine, action=Action(kind=ActionKind.none))

    def state(*events: Event) -> list[float]:
        numbers: list[float] = encoder.make_state(replace(LAST, events=events), None).tolist()
        return numbers

    left = np.float32(1 / 6)
    assert state(mine, theirs) == [4, 1, 7, 1, left]
    assert state(theirs, mine, silent) == [4, 1, 7, 1, left]  # silence is nothing heard
    assert state(mine, theirs, dumb) == [0, 0, 7, 1, left]  # but one's own says nothing
    assert state() == [0, 0, 0, 0, left]
    assert encoder.make_states([], [], []).shape == (0, 5)


def test_ids_tell_encoders_apart() -> None:
    ids = {
        lm_encoder_id("a", "p"),
        lm_encoder_id("b", "p"),
        lm_encoder_id("a", "q"),
        text_encoder_id("a"),
    }
    assert len(ids) == 4
    assert lm_encoder_id("a", "p") == "lm-958ad78f3a104d3d54458d0f"
    assert text_encoder_id("a") == "text-668d7a1ba133d6e69c0e7ddf"


@pytest.mark.parametrize(
    "spec", ["builtin:smollm2-135m-instruct", "all-minilm-l6-v2", "hf:/nowhere", "openai:x@y"]
)
def test_what_is_no_sentence_encoder(spec: str) -> None:
    with pytest.raises(ModelError, match="expected builtin:all-minilm-l6-v2, or hf: and a folder"):
        load_text_encoder(spec)


@pytest.mark.model
def test_the_builtin_sentence_encoder_drops_the_oldest_lines() -> None:
    encoder = load_text_encoder("builtin:all-minilm-l6-v2")
    assert isinstance(encoder, TextEncoder)
    assert encoder.size == 384
    goal = "Ann's goal: Get the cake."
    price, weather = "Bo: The cake costs sixty euros.", "Bo: It will rain tomorrow."
    one, near, far = (
        encoder.embed(goal, [line])
        for line in (price, "Bo: You pay 60 euros for the cake.", weather)
    )
    assert float(one @ near) > float(one @ far) + 0.2  # of length 1 each
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    old = ["Bo: Once upon a time there was a boat on the lake." for _ in range(30)]
    full = [encoder.embed(goal, [*old[:n], price]) for n in (25, 30)]
    assert np.allclose(full[0], full[1], atol=1e-6)  # what does not fit is not read
    # the newest line is
    assert not np.allclose(full[0], encoder.embed(goal, [*old, weather]), atol=1e-3)
