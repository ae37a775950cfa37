"""Neutrality measures how far a planner changes what a frozen language model says: the model reads,
teacher-forced, replies that it wrote unsteered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.steering.planner import project
from agents.steering.upmap import UpMap
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM

ActionFunction = Callable[[Tensor], Tensor]  # raw states (B, d_s) → actions (B, d')


@dataclass(frozen=True, slots=True, kw_only=True)
class Neutrality:
    """What a planner leaves of the unsteered model, and what its up-mapping could do: means over
    tokens with intervals by family.

    All are in nats per token of the reply, but for `agreement` and `perplexity_ratio`. KL is over
    the whole vocabulary at temperature 1.
    """

    kl: Estimate  # KL(unsteered ‖ steered)
    random_kl: Estimate  # KL(unsteered ‖ steered by a random action of the same norm)
    reach: Estimate  # KL(steered by one random action ‖ by another)
    cross_entropy: Estimate  # of the steered model
    unsteered_cross_entropy: Estimate
    agreement: Estimate  # share of tokens where both models' likeliest token is the same
    perplexity_ratio: Estimate  # steered / unsteered; the ratio of the geometric means
    replies: int

    def plain(self) -> dict[str, float]:
        """Gives the means by name, for a checkpoint's `metrics`."""
        return {name: getattr(self, name).mean for name in MEASURES}


MEASURES = (
    "kl",
    "random_kl",
    "reach",
    "cross_entropy",
    "unsteered_cross_entropy",
    "agreement",
    "perplexity_ratio",
)


def kl_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Gives KL(first ‖ second) in nats, (…,), of log-probabilities (…, vocabulary)."""
    return (first.exp() * (first - second)).sum(-1)


def random_actions(count: int, d_action: int, seed: int) -> Tensor:
    """Draws actions evenly on the sphere of radius √d', (count, d') float32."""
    draws = make_rng(seed).standard_normal((count, d_action))
    return project(torch.from_numpy(draws).float(), "sphere")


@torch.no_grad()
def measure(
    frozen_lm: FrozenLM,
    encoded_replies: Sequence[EncodedReply],
    policy: ActionFunction,
    upmap: UpMap,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neutrality:
    """Measures a policy: reads each reply behind its prefix and behind those of two random actions.

    Raises ValueError without encoded replies.
    """
    rows: dict[str, list[tuple[str, float]]] = {name: [] for name in MEASURES}
    for i, encoded_reply in enumerate(encoded_replies):
        actions = torch.cat(
            [
                policy(encoded_reply.state[None]),
                random_actions(2, upmap.d_action, derive_seed(seed, i)),
            ]
        )
        for name, values in _measures_by_token(frozen_lm, encoded_reply, upmap(actions)).items():
            rows[name] += [(encoded_reply.sample.family, value) for value in values.tolist()]
        on_progress(i + 1, len(encoded_replies))
    found = {name: mean_by_family(values) for name, values in rows.items()}
    ratio = found["perplexity_ratio"]
    found["perplexity_ratio"] = Estimate(
        mean=math.exp(ratio.mean),
        low=None if ratio.low is None else math.exp(ratio.low),
        high=None if ratio.high is None else math.exp(ratio.high),
        n=ratio.n,
        families=ratio.families,
    )
    return Neutrality(**found, replies=len(encoded_replies))


def _measures_by_token(
    frozen_lm: FrozenLM, encoded_reply: EncodedReply, prefixes: Tensor
) -> Mapping[str, Tensor]:
    """Gives the values of each measure at each token of the reply; the perplexity ratio as a
    difference of cross-entropies.
    """
    plain = frozen_lm.log_probs(encoded_reply.hidden)
    steered, one, other = frozen_lm.log_probs(frozen_lm.read(encoded_reply, prefixes))
    targets = encoded_reply.targets.to(plain.device)[:, None]
    before, after = -plain.gather(-1, targets)[:, 0], -steered.gather(-1, targets)[:, 0]
    return {
        "kl": kl_divergence(plain, steered),
        "random_kl": (kl_divergence(plain, one) + kl_divergence(plain, other)) / 2,
        "reach": kl_divergence(one, other),
        "cross_entropy": after,
        "unsteered_cross_entropy": before,
        "agreement": (plain.argmax(-1) == steered.argmax(-1)).float(),
        "perplexity_ratio": after - before,
    }
