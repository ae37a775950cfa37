"""The latent up-mapping: an action carries what distinguishes one reply from another.

A small encoder reads a reply and gives a code on the sphere, f(reply); the up-mapping W turns it into the prefix that makes this
reply likelier. Both learn to lower

    -log p(reply | W f(reply)) + β · KL(unsteered ‖ steered by W f(reply)) + KL(unsteered ‖ steered by W n)

per token, where n is a learned neutral action. That some of the reply leaks through the code is the point; β bounds how much. The
encoder is only needed for training: later a planner chooses the codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from agents.steering.planner import Actor, project
from agents.steering.upmap import UpMap
from simworld.core.seeding import derive_seed
from simworld.core.stats import Estimate, mean_by_family
from simworld.training.clone import copy_of, reply_loss, standard
from simworld.training.descent import Descent, Log, descend
from simworld.training.measure import kl_divergence, random_actions
from simworld.training.teacher import Lesson, Teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSettings:
    """How to learn."""

    beta: float = 0.3
    neutral_weight: float = 1.0
    hidden: tuple[int, ...] = (128,)
    descent: Descent = field(default_factory=Descent)

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


class LatentMap(nn.Module):
    """Encoder, up-mapping and neutral action."""

    def __init__(self, encoder: Actor, upmap: UpMap, mean: Tensor, std: Tensor, neutral: Tensor) -> None:
        super().__init__()
        self.encoder, self.upmap, self.mean, self.std = encoder, upmap, mean, std
        self.raw_neutral = nn.Parameter(neutral)

    def code(self, lesson: Lesson) -> Tensor:
        """f(reply), (1, d')."""
        action: Tensor = self.encoder(((_features(lesson) - self.mean) / self.std)[None])
        return action

    @property
    def neutral(self) -> Tensor:
        """The neutral action, (d',), on the sphere."""
        return project(self.raw_neutral, "sphere")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentReport:
    """What codes carry, on held-out replies: nats per token, intervals by family."""

    gain: Estimate  # log p(reply | its own code) - log p(reply | unsteered)
    other_gain: Estimate  # the same with the code of a reply of another family
    kl: Estimate  # KL(unsteered ‖ steered by its own code)
    neutral_kl: Estimate  # KL(unsteered ‖ steered by the neutral action)

    def plain(self) -> dict[str, float]:
        """The means by name, for a checkpoint's `metrics`."""
        return {f"code_{name}": getattr(self, name).mean for name in ("gain", "other_gain", "kl")}


def learn_latent(
    teacher: Teacher,
    train: Sequence[Lesson],
    dev: Sequence[Lesson],
    upmap: UpMap,
    settings: LatentSettings,
    *,
    log: Log = lambda step, metrics: None,
) -> LatentMap:
    """Encoder, up-mapping (from a copy of `upmap`) and neutral action, as they were best on the dev lessons."""
    mean, std = standard([_features(lesson) for lesson in train])
    seed = settings.descent.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        encoder = Actor(len(mean), upmap.d_action, hidden=settings.hidden, projection="sphere")
    neutral = random_actions(1, upmap.d_action, derive_seed(seed, "neutral"))[0]
    latent = LatentMap(encoder, copy_of(upmap), mean, std, neutral)

    def loss(lesson: Lesson, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        actions = torch.cat([latent.code(lesson), latent.neutral[None]])
        own, neutral = teacher.log_probs(teacher.read(lesson, latent.upmap(actions)))
        ce, kl = reply_loss(teacher, lesson, own, "ce"), reply_loss(teacher, lesson, own, "kl")
        away = reply_loss(teacher, lesson, neutral, "kl")
        value = ce + settings.beta * kl + settings.neutral_weight * away
        return value, {"ce": ce.item(), "kl": kl.item(), "neutral_kl": away.item()}

    descend(latent, loss, train, dev, settings.descent, log)
    return latent.requires_grad_(False)


@torch.no_grad()
def measure_latent(teacher: Teacher, lessons: Sequence[Lesson], latent: LatentMap) -> LatentReport:
    """What the codes of these replies carry. Raises ValueError without lessons."""
    rows: dict[str, list[tuple[str, float]]] = {"gain": [], "other_gain": [], "kl": [], "neutral_kl": []}
    for i, lesson in enumerate(lessons):
        family = lesson.sample.family
        others = [other for other in (*lessons[i:], *lessons[:i]) if other.sample.family != family]
        actions = torch.cat([latent.code(lesson), latent.code((others or [lesson])[0]), latent.neutral[None]])
        own, other, neutral = teacher.log_probs(teacher.read(lesson, latent.upmap(actions)))
        plain, targets = teacher.log_probs(lesson.hidden), lesson.targets.to(own.device)[:, None]
        before = plain.gather(-1, targets)
        values = {
            "gain": own.gather(-1, targets) - before,
            "other_gain": other.gather(-1, targets) - before,
            "kl": kl_divergence(plain, own),
            "neutral_kl": kl_divergence(plain, neutral),
        }
        for name, found in values.items():
            rows[name] += [(family, value) for value in found.flatten().tolist()]
    return LatentReport(**{name: mean_by_family(found) for name, found in rows.items()})


def _features(lesson: Lesson) -> Tensor:
    """What the encoder reads of a reply: the mean of the unsteered model's outputs at its tokens, (width,)."""
    return lesson.hidden.float().cpu().mean(0)
