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
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.steering.planner import project
from agents.steering.upmap import UpMap
from simworld.core.arrays import EmbedTexts
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM
from simworld.training.cloning.likelihood import likelihoods
from simworld.training.cloning.neutrality import kl_divergence
from simworld.training.cloning.reply_codes import fit_reply_codes, ways_of_replying, words_by_code
from simworld.training.cloning.reply_training import DescentSettings, descend
from simworld.training.trainer import SILENT, TrainingRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSettings:
    """Settings of a latent up-mapping."""

    size: int = 32  # K; actions have one number more
    # of a direction to begin with, in lengths of the clone's token embeddings
    strength: float = 4.0
    contrast: float = 0.1  # w
    kl: float = 0.1  # k, of nats per token
    ways: int = 24  # that groups of replies have in common, at most
    descent: DescentSettings = field(
        default_factory=lambda: DescentSettings(steps=120, batch_size=8)
    )

    def plain(self) -> dict[str, Any]:
        """Gives the settings as JSON data, for the record of a training."""
        return asdict(self) | {"descent": self.descent.plain()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentMap:
    """A latent up-mapping, its neutral action, and how far its directions tell replies apart that
    it was not made from.
    """

    upmap: UpMap
    neutral: Tensor  # (K + 1,) float32
    ways: Tensor  # (n, K + 1) float32, the actions of what groups of replies have in common
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
        made = UpMap(
            weight, tokens=like.tokens, act_norm=like.act_norm, embedding_norm=like.embedding_norm
        )
        return made.requires_grad_(False)

    def prefixes(self, codes: Tensor, share: float) -> Tensor:
        """Gives the prefixes (B, L, width) of codes (B, K) beside a share of the neutral prefix, in
        the length of a code.
        """
        scale = self.like.act_norm * self.like.embedding_norm / (len(self.rows) + 1) ** 0.5
        weight = torch.cat([self.neutral[None], self.rows])
        prefixes: Tensor = (_actions(codes, share) @ weight * scale).unflatten(
            -1, (self.like.tokens, self.like.d_model)
        )
        return prefixes


def learn_latent(
    frozen_lm: FrozenLM,
    train: Sequence[EncodedReply],
    dev: Sequence[EncodedReply],
    test: Sequence[EncodedReply],
    upmap: UpMap,
    neutral: Tensor,
    settings: LatentSettings,
    *,
    embed: EmbedTexts,
    recorder: TrainingRecorder = SILENT,
) -> LatentMap:
    """Trains a latent up-mapping around a prefix that changes nothing, and gives it as it was best
    on `dev`.

    Args:
        frozen_lm: the language model that wrote the replies.
        train: encoded replies to learn from.
        dev: encoded replies of other families, to choose by.
        test: encoded replies of yet others, on which `log_ratio` is measured.
        upmap: of the clone.
        neutral: the clone's action (d',), the same for all states.
        settings: of the up-mapping.
        embed: gives sentence embeddings.
        recorder: keeps the state and is told the metrics, see `descend`.

    Raises:
        ValueError: there are no encoded replies.
        InputError: fewer than two families to learn from, replies drawn at temperature 0, a loss
            that is no longer finite, or a state of another training.
    """
    families = [encoded_reply.sample.family for encoded_reply in train]
    if len(set(families)) < 2:
        raise InputError(
            "all replies to learn from are of one family; directions would carry what it is about"
            " alone"
        )

    def embedded(encoded_replies: Sequence[EncodedReply]) -> NDArray[np.float64]:
        return np.asarray(
            embed([encoded_reply.sample.reply for encoded_reply in encoded_replies]),
            dtype=np.float64,
        )

    meanings = fit_reply_codes(embedded(train), families, settings.size)
    codes: dict[int, Tensor] = {}
    for encoded_replies in (train, dev, test):
        found = meanings.codes(
            embedded(encoded_replies),
            [encoded_reply.sample.family for encoded_reply in encoded_replies],
        )
        codes |= {
            id(encoded_reply): code
            for encoded_reply, code in zip(encoded_replies, found, strict=True)
        }
    own = torch.stack([codes[id(encoded_reply)] for encoded_reply in train])
    rows = words_by_code(
        own, [encoded_reply.targets for encoded_reply in train], families, frozen_lm.embeddings
    )
    size = len(rows) + 1
    with torch.no_grad():
        centre = upmap(neutral[None])[0].flatten() / (upmap.act_norm * upmap.embedding_norm)
    latent = _LatentParameters(centre, rows.repeat(1, upmap.tokens) * settings.strength, upmap)

    def loss(encoded_reply: EncodedReply, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        rng = make_rng(seed)
        pair = torch.stack([codes[id(encoded_reply)], own[rng.integers(len(own))]])
        hidden = frozen_lm.read(encoded_reply, latent.prefixes(pair, _share(rng)))
        nats = likelihoods(frozen_lm, encoded_reply, hidden)
        apart, tokens = nats.log_softmax(0)[0], len(encoded_reply.targets)
        with torch.no_grad():
            plain = frozen_lm.log_probs(encoded_reply.hidden)
        strayed = kl_divergence(plain, frozen_lm.log_probs(hidden[1])).mean()
        metrics = {
            "nats": -nats[0].item() / tokens,
            "log_ratio": (nats[0] - nats[1]).item(),
            "kl": strayed.item(),
        }
        return -nats[0] / tokens - settings.contrast * apart + settings.kl * strayed, metrics

    descend(latent, loss, train, dev, settings.descent, recorder=recorder)
    first = torch.zeros(size)
    first[0] = size**0.5
    return LatentMap(
        upmap=latent.upmap(),
        neutral=first,
        ways=_actions(ways_of_replying(own, settings.ways, settings.descent.seed % 2**32), 1.0),
        log_ratio=_log_ratio(frozen_lm, test, latent, codes, settings),
    )


def _actions(codes: Tensor, share: float) -> Tensor:
    """Gives actions (B, K + 1): codes (B, K) beside a share of the neutral action, in the length of
    a code.
    """
    size = codes.shape[1] + 1
    return project(
        torch.cat([torch.full((len(codes), 1), share * size**0.5), codes], dim=1), "sphere"
    )


def _share(rng: np.random.Generator) -> float:
    """Draws a share of the neutral prefix, in the length of a code: as exploring around it has it,
    one between, or hardly any.
    """
    return (1.0, rng.uniform(0.3, 1.0), rng.normal(0, 0.3))[rng.integers(3)]


@torch.no_grad()
def _log_ratio(
    frozen_lm: FrozenLM,
    encoded_replies: Sequence[EncodedReply],
    latent: _LatentParameters,
    codes: Mapping[int, Tensor],
    settings: LatentSettings,
) -> Estimate:
    order = (
        make_rng(derive_seed(settings.descent.seed, "pairs"))
        .permutation(len(encoded_replies))
        .tolist()
    )
    rows = []
    for i, j in zip(order, order[1:] + order[:1], strict=True):
        pair = torch.stack([codes[id(encoded_replies[i])], codes[id(encoded_replies[j])]])
        one, other = likelihoods(
            frozen_lm,
            encoded_replies[i],
            frozen_lm.read(encoded_replies[i], latent.prefixes(pair, 1.0)),
        ).tolist()
        rows.append((encoded_replies[i].sample.family, one - other))
    return mean_by_family(rows)
