"""The latent up-mapping: directions of the action space are ways of replying.

An action should carry what distinguishes one reply from another (docs/design/dat.md). A small
encoder reads a reply u of the unsteered model, and W learns to turn the code f(u) into the prefix
that makes u
most likely:

    L = −log p(u | f(u)) / |u| − w log [p(u | f(u)) / (p(u | f(u)) + p(u | f(u′)))] + k KL(unsteered
    ‖ behind f(u′))

with u′ another reply, so that codes are told apart and the language stays the model's own. p is the
distribution that replies were drawn from. W begins at what a code says of a reply's words: with
prefixes in the direction of their embeddings.

The first number of an action is the share of the clone's prefix, which changes nothing: (√d', 0, …,
0) is neutral. While W learns, actions lie between the neutral one and those of no share, as those
of exploration do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.steering.planner import project_action
from agents.steering.upmap import UpMap
from simworld.core.arrays import EmbedTexts
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM
from simworld.training.cloning.neutrality import kl_divergence
from simworld.training.cloning.reply_encoder import (
    cluster_codes,
    fit_code_directions,
    fit_reply_encoder,
)
from simworld.training.cloning.reply_likelihood import reply_log_likelihoods
from simworld.training.cloning.reply_training import (
    ReplyTrainingSettings,
    settings_json,
    train_on_replies,
)
from simworld.training.trainer import SILENT, TrainingRecorder
from simworld.training.ways_in_words import describe_way


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSettings:
    """Settings of a latent up-mapping."""

    size: int = 32  # K; actions have one number more
    # of a direction to begin with, in lengths of the clone's token embeddings
    strength: float = 4.0
    contrast: float = 0.1  # w
    kl: float = 0.1  # k, of nats per token
    ways: int = 24  # that groups of replies have in common, at most
    training: ReplyTrainingSettings = field(
        default_factory=lambda: ReplyTrainingSettings(steps=120, batch_size=8)
    )

    def to_json(self) -> dict[str, Any]:
        """Gives the settings as JSON data, for the record of a training."""
        return settings_json(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentMap:
    """A latent up-mapping, its neutral action, and how far its directions tell replies apart that
    it was not made from.
    """

    upmap: UpMap
    neutral_action: Tensor  # (K + 1,) float32
    ways: Tensor  # (n, K + 1) float32, the actions of what groups of replies have in common
    way_words: tuple[str, ...]  # n, what the replies of each group have in common
    # nats per reply by which it is likelier behind its own code than behind another's
    log_ratio: Estimate


class _LatentParameters(nn.Module):
    """The rows of W that learn, beside the one that stays."""

    def __init__(self, neutral: Tensor, rows: Tensor, like: UpMap) -> None:
        super().__init__()
        self.neutral, self.like = neutral, like
        self.rows = nn.Parameter(rows)

    def upmap(self) -> UpMap:
        """Gives the up-mapping as it is now, without gradients."""
        like, weight = self.like, torch.cat([self.neutral[None], self.rows.detach()])
        upmap = UpMap(
            weight, tokens=like.tokens, act_norm=like.act_norm, embedding_norm=like.embedding_norm
        )
        return upmap.requires_grad_(False)

    def prefixes(self, codes: Tensor, share: float) -> Tensor:
        """Gives the prefixes (B, L, width) of codes (B, K) beside a share of the neutral prefix, in
        the length of a code.
        """
        scale = self.like.act_norm * self.like.embedding_norm / (len(self.rows) + 1) ** 0.5
        weight = torch.cat([self.neutral[None], self.rows])
        prefixes: Tensor = (_actions_from_codes(codes, share) @ weight * scale).unflatten(
            -1, (self.like.tokens, self.like.d_model)
        )
        return prefixes


def train_latent_map(
    frozen_lm: FrozenLM,
    train_replies: Sequence[EncodedReply],
    dev_replies: Sequence[EncodedReply],
    test_replies: Sequence[EncodedReply],
    upmap: UpMap,
    clone_action: Tensor,
    settings: LatentSettings,
    *,
    embed: EmbedTexts,
    recorder: TrainingRecorder = SILENT,
) -> LatentMap:
    """Trains a latent up-mapping around a prefix that changes nothing, and gives it as it was best
    on `dev_replies`.

    Args:
        frozen_lm: the language model that wrote the replies.
        train_replies: encoded replies to learn from.
        dev_replies: encoded replies of other families, to choose by.
        test_replies: encoded replies of yet others, on which `log_ratio` is measured.
        upmap: of the clone.
        clone_action: the clone's action (d',), the same for all states.
        settings: of the up-mapping.
        embed: gives sentence embeddings.
        recorder: keeps the state and is told the metrics, see `train_on_replies`.

    Raises:
        ValueError: there are no encoded replies.
        InputError: fewer than two families to learn from, a size above the rank of their
            embeddings, replies drawn at temperature 0, a loss
            that is no longer finite, or a state of another training.
    """
    families = [reply.stored_reply.family for reply in train_replies]
    if len(set(families)) < 2:
        raise InputError(
            "all replies to learn from are of one family; directions would carry what it is about"
            " alone"
        )

    def embedded(replies: Sequence[EncodedReply]) -> NDArray[np.float64]:
        return np.asarray(embed([reply.stored_reply.reply for reply in replies]), dtype=np.float64)

    reply_encoder = fit_reply_encoder(embedded(train_replies), families, settings.size)
    if (rank := len(reply_encoder.axes)) < settings.size:
        raise InputError(
            f"latent size {settings.size} is above the rank of the replies' embeddings, {rank}"
            f" ({counted(len(train_replies), 'reply', 'replies')} in"
            f" {counted(len(set(families)), 'family', 'families')}, each less its family's mean);"
            f" set the size to {rank} or less, or learn from more replies"
        )
    codes: dict[int, Tensor] = {}
    for replies in (train_replies, dev_replies, test_replies):
        of_families = [reply.stored_reply.family for reply in replies]
        reply_codes = reply_encoder.encode(embedded(replies), of_families)
        codes |= {id(reply): code for reply, code in zip(replies, reply_codes, strict=True)}
    train_codes = torch.stack([codes[id(reply)] for reply in train_replies])
    tokens = [reply.targets for reply in train_replies]
    directions = fit_code_directions(train_codes, tokens, families, frozen_lm.token_embeddings)
    d_action = len(directions) + 1
    with torch.no_grad():
        neutral = upmap(clone_action[None])[0].flatten() / (upmap.act_norm * upmap.embedding_norm)
    rows = directions.repeat(1, upmap.tokens) * settings.strength
    latent = _LatentParameters(neutral, rows, upmap)

    def loss(reply: EncodedReply, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        rng = make_rng(seed)
        pair = torch.stack([codes[id(reply)], train_codes[rng.integers(len(train_codes))]])
        prefixes = latent.prefixes(pair, _draw_neutral_share(rng))
        hidden = frozen_lm.forward_reply(reply, prefixes)
        log_likelihoods = reply_log_likelihoods(frozen_lm, reply, hidden)
        log_contrast, token_count = log_likelihoods.log_softmax(0)[0], len(reply.targets)
        with torch.no_grad():
            unsteered = frozen_lm.log_probs(reply.hidden)
        kl = kl_divergence(unsteered, frozen_lm.log_probs(hidden[1])).mean()
        metrics = {
            "nats": -log_likelihoods[0].item() / token_count,
            "log_ratio": (log_likelihoods[0] - log_likelihoods[1]).item(),
            "kl": kl.item(),
        }
        nats = -log_likelihoods[0] / token_count
        return nats - settings.contrast * log_contrast + settings.kl * kl, metrics

    train_on_replies(latent, loss, train_replies, dev_replies, settings.training, recorder=recorder)
    centres = cluster_codes(train_codes, settings.ways, settings.training.seed % 2**32)
    neutral_action = torch.zeros(d_action)
    neutral_action[0] = d_action**0.5
    return LatentMap(
        upmap=latent.upmap(),
        neutral_action=neutral_action,
        ways=_actions_from_codes(centres, 1.0),
        way_words=_describe_groups(train_replies, train_codes, centres),
        log_ratio=_measure_log_ratio(frozen_lm, test_replies, latent, codes, settings),
    )


def _describe_groups(
    replies: Sequence[EncodedReply], codes: Tensor, centres: Tensor
) -> tuple[str, ...]:
    """Gives each group of replies, those of the nearest middle, in words, (n); beside the other
    groups.
    """
    group = torch.cdist(codes.double(), centres.double()).argmin(1).tolist()
    texts = [reply.stored_reply.reply for reply in replies]
    return tuple(
        describe_way(
            [text for text, own in zip(texts, group, strict=True) if own == index],
            [text for text, own in zip(texts, group, strict=True) if own != index],
        )
        for index in range(len(centres))
    )


def _actions_from_codes(codes: Tensor, share: float) -> Tensor:
    """Gives actions (B, K + 1): codes (B, K) beside a share of the neutral action, in the length of
    a code.
    """
    d_action = codes.shape[1] + 1
    return project_action(
        torch.cat([torch.full((len(codes), 1), share * d_action**0.5), codes], dim=1), "sphere"
    )


def _draw_neutral_share(rng: np.random.Generator) -> float:
    """Draws a share of the neutral prefix, in the length of a code: as exploring around it has it,
    one between, or hardly any.
    """
    return (1.0, rng.uniform(0.3, 1.0), rng.normal(0, 0.3))[rng.integers(3)]


@torch.no_grad()
def _measure_log_ratio(
    frozen_lm: FrozenLM,
    replies: Sequence[EncodedReply],
    latent: _LatentParameters,
    codes: Mapping[int, Tensor],
    settings: LatentSettings,
) -> Estimate:
    pairing = (
        make_rng(derive_seed(settings.training.seed, "pairs")).permutation(len(replies)).tolist()
    )
    log_ratios = []
    for i, j in zip(pairing, pairing[1:] + pairing[:1], strict=True):
        pair = torch.stack([codes[id(replies[i])], codes[id(replies[j])]])
        by_own_code, by_other_code = reply_log_likelihoods(
            frozen_lm, replies[i], frozen_lm.forward_reply(replies[i], latent.prefixes(pair, 1.0))
        ).tolist()
        log_ratios.append((replies[i].stored_reply.family, by_own_code - by_other_code))
    return mean_by_family(log_ratios)
