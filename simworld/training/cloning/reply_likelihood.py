"""How likely a stored reply is behind prefixes, read back through the frozen model."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.lm.local.sampling import log_likelihood
from simworld.core.errors import InputError
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM


def likelihoods(frozen_lm: FrozenLM, encoded_reply: EncodedReply, hidden: Tensor) -> Tensor:
    """Gives the log-probability of the reply behind each of K prefixes, (K,) float32 in nats, with
    gradients to the outputs.

    The distribution is the one that the reply was drawn from, with its temperature, repetition
    penalty and cuts.

    Args:
        frozen_lm: the language model that wrote the reply.
        encoded_reply: the reply.
        hidden: the outputs behind the prefixes, (K, reply, width), of `FrozenLM.read`.

    Raises:
        InputError: the reply was not drawn: at temperature 0 it has no likelihood.
    """
    sampling = encoded_reply.sample.sampling
    if not sampling.temperature > 0:
        raise InputError(
            f"episode {encoded_reply.sample.episode}: its replies were made at temperature 0, so"
            " they have no likelihood to follow; play with a temperature above 0"
        )
    targets = encoded_reply.targets.to(hidden.device)
    before = torch.tensor(
        [*encoded_reply.begun, *encoded_reply.targets.tolist()], device=hidden.device
    )
    seen = [before[: len(encoded_reply.begun) + i] for i in range(len(targets))]
    return torch.stack(
        [
            log_likelihood(logits, targets, sampling, seen).sum()
            for logits in frozen_lm.logits(hidden)
        ]
    )
