"""The latent up-mapping on a tiny model, and how likely replies are behind prefixes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from simworld.core.errors import InputError
from simworld.core.requests import ChatPrompt, Message, Sampling
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM, open_frozen_lm
from simworld.training.cloning.latent_map import LatentSettings, train_latent_map
from simworld.training.cloning.reply_likelihood import reply_log_likelihoods
from simworld.training.cloning.reply_training import ReplyTrainingSettings
from simworld.training.trainer import TrainingRecorder
from tests.factories import played_episodes

REPLIES = (" Yes, 5.", " No!", " Maybe 7?", " Go away.", " Deal.", " Hm, 3")


@pytest.fixture(scope="module")
def frozen_lm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenLM]:
    before = torch.get_num_threads()
    with open_frozen_lm(
        played_episodes.load_tiny(played_episodes.save_tiny(tmp_path_factory.mktemp("llama"))),
        "end",
    ) as made:
        yield made
    torch.set_num_threads(before)


def lessons_of(
    frozen_lm: FrozenLM, families: Sequence[str], sampling: Sampling = played_episodes.WARM
) -> list[EncodedReply]:
    prompt = "Of a {}."
    samples = [
        played_episodes.make_stored_reply(
            ChatPrompt(
                messages=(Message(role="user", content=prompt.format(word)),),
                reply_start="Bob: 4?\nAnn:",
            ),
            reply,
            family=word,
            sampling=sampling,
        )
        for word in families
        for reply in REPLIES
    ]
    return frozen_lm.encode(samples)


def embed(texts: Sequence[str]) -> NDArray[np.float64]:
    """Whether a text has a digit, and its length: two meanings that anybody can check."""
    return np.array([[float(any(c.isdigit() for c in text)), len(text) / 10] for text in texts])


def test_likelihoods_are_those_of_the_draw(frozen_lm: FrozenLM) -> None:
    penalty = 1.3
    (encoded_reply, *_) = lessons_of(
        frozen_lm, ("chair",), Sampling(temperature=0.7, repetition_penalty=penalty)
    )
    assert len(encoded_reply.penalised_before) > 3  # the dialogue, in which the reply was begun
    prefixes = played_episodes.upmap()(torch.tensor([[1.0, -1.0, 0.5, 1.2], [0.0, 2.0, 0.0, 0.0]]))
    with torch.no_grad():
        hidden = frozen_lm.forward_reply(encoded_reply, prefixes)
        found = reply_log_likelihoods(frozen_lm, encoded_reply, hidden)
        expected = []
        for rows in frozen_lm.logits(hidden).double():
            total, met = 0.0, set(encoded_reply.penalised_before)
            for row, token in zip(rows, encoded_reply.targets.tolist(), strict=True):
                for id_ in met:
                    row[id_] = row[id_] * penalty if row[id_] < 0 else row[id_] / penalty
                total += float((row / 0.7).log_softmax(-1)[token])
                met.add(token)
            expected.append(total)
    assert found.tolist() == pytest.approx(expected, abs=1e-3)
    assert abs(expected[0] - expected[1]) > 0.01


def test_replies_made_at_temperature_zero_have_no_likelihood(frozen_lm: FrozenLM) -> None:
    (encoded_reply, *_) = lessons_of(frozen_lm, ("chair",), Sampling(temperature=0.0))
    with pytest.raises(InputError, match="temperature 0"):
        reply_log_likelihoods(
            frozen_lm,
            encoded_reply,
            frozen_lm.forward_reply(encoded_reply, played_episodes.upmap()(torch.ones(1, 4))),
        )


def settings(steps: int = 12) -> LatentSettings:
    return LatentSettings(
        size=2, strength=1.0, training=ReplyTrainingSettings(steps=steps, batch_size=9, lr=0.05)
    )


def test_the_neutral_action_is_the_clones_prefix(frozen_lm: FrozenLM) -> None:
    upmap, neutral = played_episodes.upmap(), torch.tensor([1.0, 1.0, -1.0, 1.0])
    train, dev, test = (
        lessons_of(frozen_lm, families) for families in (("chair", "boat"), ("dog",), ("cup",))
    )
    made = train_latent_map(frozen_lm, train, dev, test, upmap, neutral, settings(), embed=embed)
    assert made.upmap.weight.shape == (3, 64)
    assert not made.upmap.weight.requires_grad
    # What groups of replies have in common, beside as much of the neutral action: an angle of 45°
    # with it, but for √(2/3).
    torch.testing.assert_close(made.ways.norm(dim=1), torch.full((len(made.ways),), 3**0.5))
    torch.testing.assert_close(made.ways[:, 0], torch.full((len(made.ways),), 3 / 5**0.5))
    assert made.neutral_action.tolist() == pytest.approx([3**0.5, 0, 0])
    torch.testing.assert_close(made.upmap(made.neutral_action[None]), upmap(neutral[None]))


def test_a_size_above_the_rank_of_the_embeddings_is_refused(frozen_lm: FrozenLM) -> None:
    train = lessons_of(frozen_lm, ("chair", "boat"))
    wide = replace(settings(), size=50)
    with pytest.raises(InputError, match=r"latent size 50 is above the rank .*, \d+ \(.*set the"):
        train_latent_map(
            frozen_lm,
            train,
            train,
            train,
            played_episodes.upmap(),
            torch.ones(4),
            wide,
            embed=embed,
        )


def test_a_reply_becomes_likelier_behind_its_own_code(frozen_lm: FrozenLM) -> None:
    train, dev, test = (
        lessons_of(frozen_lm, families)
        for families in (("chair", "boat", "hat"), ("dog",), ("cup", "pen"))
    )
    seen: dict[int, float] = {}

    def learned(steps: int) -> float:
        made = train_latent_map(
            frozen_lm,
            train,
            dev,
            test,
            played_episodes.upmap(),
            torch.ones(4),
            settings(steps),
            embed=embed,
            recorder=TrainingRecorder(
                sink=lambda step, metrics: seen.__setitem__(step, metrics.get("log_ratio", 0))
            ),
        )
        assert made.log_ratio.families == 2
        assert made.log_ratio.n == 12
        return made.log_ratio.mean

    before = learned(1)
    after = learned(30)
    assert after > before + 0.2
    assert seen[30] > 0


def test_the_same_lessons_make_the_same_map(frozen_lm: FrozenLM) -> None:
    train, dev, test = (
        lessons_of(frozen_lm, families) for families in (("chair", "boat"), ("dog",), ("cup",))
    )
    one, two = (
        train_latent_map(
            frozen_lm,
            train,
            dev,
            test,
            played_episodes.upmap(),
            torch.ones(4),
            settings(),
            embed=embed,
        ).upmap.weight
        for _ in range(2)
    )
    assert torch.equal(one, two)


def test_one_family_is_not_enough(frozen_lm: FrozenLM) -> None:
    train = lessons_of(frozen_lm, ("chair",))
    with pytest.raises(InputError, match="one family"):
        train_latent_map(
            frozen_lm,
            train,
            train,
            train,
            played_episodes.upmap(),
            torch.ones(4),
            settings(),
            embed=embed,
        )
