"""Ways get their words from the acts that tried them."""

from __future__ import annotations

from dataclasses import replace

import torch

from agents.steering.checkpoint import Checkpoint
from agents.steering.named_ways import NEUTRAL
from simworld.training.rl.way_names import name_ways
from tests.factories.transitions import episodes
from tests.simworld.training.rl.test_train_planner import start

PLAIN, THANKING, ASKING = (3**0.5, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 1.0, -1.0)
LINE: dict[tuple[float, ...], str] = {
    PLAIN: "The boat is old.",
    THANKING: "Thank you kindly.",
    ASKING: "Who are they?",
}


def latent(*ways: tuple[float, ...], words: tuple[str, ...] = ()) -> Checkpoint:
    parent = start(actor=False, d_action=3)
    info = parent.info.model_copy(update={"upmap": "latent", "ways": len(ways), "way_words": words})
    return replace(parent, info=info, ways=torch.tensor(ways))


def named(checkpoint: Checkpoint, *taken: tuple[float, ...], times: int = 20) -> tuple[str, ...]:
    acts = list(taken) * times
    transitions = episodes([[[0.0]]] * len(acts), [[act] for act in acts], [[0.0]] * len(acts))
    made = name_ways(checkpoint, transitions, [LINE[act] for act in acts])
    assert made.id == checkpoint.id  # words are for people
    return made.info.way_words


def test_ways_are_what_was_said_in_them() -> None:
    words = named(latent(PLAIN, THANKING, ASKING), PLAIN, THANKING, ASKING)
    assert words == (
        NEUTRAL,
        "kindly, thank, you: “Thank you kindly.”",
        "are, they, who: “Who are they?”",
    )


def test_without_unsteered_lines_a_way_is_compared_with_the_others() -> None:
    assert named(latent(THANKING, ASKING), THANKING, ASKING) == (
        "kindly, thank, you: “Thank you kindly.”",
        "are, they, who: “Who are they?”",
    )


def test_a_way_is_a_direction_whatever_share_of_the_neutral_action_it_has() -> None:
    stronger = (0.0, 1.5**0.5, 1.5**0.5)
    assert named(latent(stronger), PLAIN, THANKING) == ("kindly, thank, you: “Thank you kindly.”",)


def test_a_way_that_was_not_tried_keeps_its_words() -> None:
    before = ("said before", "asked before")
    words = named(latent(THANKING, ASKING, words=before), PLAIN, THANKING)
    assert words == ("kindly, thank, you: “Thank you kindly.”", "asked before")
    assert named(latent(THANKING), PLAIN, THANKING, times=4) == ()  # too few to tell


def test_without_ways_nothing_is_named() -> None:
    checkpoint = start(actor=False, d_action=3)
    assert named(checkpoint, PLAIN, THANKING) == ()
