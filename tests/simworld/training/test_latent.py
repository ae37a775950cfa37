"""The latent up-mapping: in closed form where the answer is known, and on a tiny model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from simworld.core.errors import InputError
from simworld.core.requests import ChatPrompt, Message, Sampling
from simworld.training.latent import LatentSettings, _centred, _correlation, _directions, learn_latent
from simworld.training.slopes import slope
from simworld.training.teacher import Lesson, Teacher, open_teacher
from tests.simworld.training import taught

REPLIES = (" Yes, 5.", " No!", " Maybe 7?", " Go away.", " Deal.", " Hm, 3")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teacher]:
    before = torch.get_num_threads()
    with open_teacher(taught.load_tiny(taught.save_tiny(tmp_path_factory.mktemp("llama"))), "end") as made:
        yield made
    torch.set_num_threads(before)


def lessons_of(teacher: Teacher, families: Sequence[str], sampling: Sampling = taught.WARM) -> list[Lesson]:
    prompt = "Of a {}."
    samples = [
        taught.sample(
            ChatPrompt(messages=(Message(role="user", content=prompt.format(word)),), reply_start="Bob: 4?\nAnn:"),
            reply,
            family=word,
            sampling=sampling,
        )
        for word in families
        for reply in REPLIES
    ]
    return teacher.lessons(samples)


def embed(texts: Sequence[str]) -> NDArray[np.float64]:
    """Whether a text has a digit, and its length: two meanings that anybody can check."""
    return np.array([[float(any(c.isdigit() for c in text)), len(text) / 10] for text in texts])


def test_the_slope_is_the_difference_quotient(teacher: Teacher) -> None:
    penalty = 1.3
    (lesson, *_) = lessons_of(teacher, ("chair",), Sampling(temperature=0.7, repetition_penalty=penalty))
    assert len(lesson.begun) > 3  # the dialogue, in which the reply was begun
    upmap, action = taught.upmap(), torch.tensor([1.0, -1.0, 0.5, 1.2])

    def likelihood(at: torch.Tensor) -> float:
        with torch.no_grad():
            logits = teacher.logits(teacher.read(lesson, upmap(at[None])))[0].double()
        total, met = 0.0, set(lesson.begun)
        for row, token in zip(logits, lesson.targets.tolist(), strict=True):
            for id_ in met:
                row[id_] = row[id_] * penalty if row[id_] < 0 else row[id_] / penalty
            total += float((row / 0.7).log_softmax(-1)[token])
            met.add(token)
        return total

    found = slope(teacher, lesson, upmap, action)
    for i in range(4):
        step = torch.zeros(4)
        step[i] = 0.01
        quotient = (likelihood(action + step) - likelihood(action - step)) / 0.02
        assert float(found[i]) == pytest.approx(quotient, abs=0.02)


def test_replies_made_at_temperature_zero_have_no_slope(teacher: Teacher) -> None:
    (lesson, *_) = lessons_of(teacher, ("chair",), Sampling(temperature=0.0))
    with pytest.raises(InputError, match="temperature 0"):
        slope(teacher, lesson, taught.upmap(), torch.ones(4))


def test_the_directions_are_those_that_move_the_meaning_most_for_their_nats() -> None:
    # Slopes of three prefix numbers: the first is loud and means nothing, the second carries the meaning, the third nothing at all.
    draw = np.random.default_rng(0)
    meaning = draw.normal(size=4000)
    s = np.stack(
        [10 * draw.normal(size=4000), 0.5 * meaning + 0.5 * draw.normal(size=4000), draw.normal(size=4000)], axis=1
    )
    found, means = _directions(s, meaning[:, None], LatentSettings(size=2, ridge=1e-6))
    assert found.shape == (3, 1)  # there are no more meanings than one
    assert abs(means[0, 0]) == pytest.approx(1)
    assert abs(found[1, 0]) > 20 * max(abs(found[0, 0]), abs(found[2, 0]))
    assert np.square(s @ found).mean() == pytest.approx(1, abs=0.01)  # half a nat at one unit


def test_rows_are_centred_by_family_and_correlations_are_pearsons() -> None:
    rows = np.array([[1.0], [3.0], [10.0], [20.0]])
    assert _centred(rows, ["a", "a", "b", "b"]).tolist() == [[-1.0], [1.0], [-5.0], [5.0]]
    first = np.array([[1.0, 1.0, 2.0], [2.0, 1.0, 1.0], [3.0, 1.0, 0.0]])
    second = np.array([[2.0, 5.0, 1.0], [4.0, 6.0, 2.0], [6.0, 7.0, 3.0]])
    assert _correlation(first, second) == pytest.approx((1 + 0 - 1) / 3)


def test_the_neutral_action_is_the_clones_prefix_and_rows_cost_what_they_should(teacher: Teacher) -> None:
    upmap, neutral = taught.upmap(), torch.tensor([1.0, 1.0, -1.0, 1.0])
    train, dev = lessons_of(teacher, ("chair", "boat", "hat")), lessons_of(teacher, ("dog", "cup"))
    heard: list[tuple[int, int]] = []
    settings = LatentSettings(size=2, nats=0.3)
    made = learn_latent(
        teacher,
        train,
        dev,
        upmap,
        neutral,
        settings,
        embed=embed,
        on_progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (30, 30)
    assert made.upmap.weight.shape == (3, 64)
    assert made.neutral.norm() == pytest.approx(3**0.5)
    torch.testing.assert_close(made.upmap(made.neutral[None]), upmap(neutral[None]))
    # Along either direction the likelihood of the dev replies has a slope whose mean square is twice the nats.
    slopes = torch.stack([slope(teacher, lesson, made.upmap, made.neutral) for lesson in dev])
    torch.testing.assert_close(slopes.square().mean(0)[1:] / 2, torch.full((2,), 0.3), rtol=1e-3, atol=1e-3)
    assert -1 <= made.carried <= 1


def test_one_family_is_not_enough(teacher: Teacher) -> None:
    train = lessons_of(teacher, ("chair",))
    with pytest.raises(InputError, match="one family"):
        learn_latent(teacher, train, train, taught.upmap(), torch.ones(4), LatentSettings(size=2), embed=embed)
