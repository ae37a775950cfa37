"""How likely a stored reply is behind prefixes, read back through the frozen model."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.lm.local.sampling import log_likelihood
from simworld.core.errors import InputError
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM


def reply_log_likelihoods(frozen_lm: FrozenLM, reply: EncodedReply, hidden: Tensor) -> Tensor:
    """Gives the log-probability of the reply behind each of K prefixes, (K,) float32 in nats, with
    gradients to the outputs.

    The distribution is the one that the reply was drawn from, with its temperature, repetition
    penalty and cuts.

    Args:
        frozen_lm: the language model that wrote the reply.
        reply: the reply.
        hidden: the outputs behind the prefixes, (K, reply, width), of `FrozenLM.forward_reply`.

    Raises:
        InputError: the reply was not drawn: at temperature 0 it has no likelihood.
    """
    sampling = reply.stored_reply.sampling
    if not sampling.temperature > 0:
        raise InputError(
            f"episode {reply.stored_reply.episode}: its replies were made at temperature 0, so"
            " they have no likelihood to follow; play with a temperature above 0"
        )
    targets = reply.targets.to(hidden.device)
    token_ids = torch.tensor(
        [*reply.penalised_before, *reply.targets.tolist()], device=hidden.device
    )
    penalised = [token_ids[: len(reply.penalised_before) + i] for i in range(len(targets))]
    return torch.stack(
        [
            log_likelihood(logits, targets, sampling, penalised).sum()
            for logits in frozen_lm.logits(hidden)
        ]
    )
