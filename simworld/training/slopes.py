"""How the likelihood of a reply changes with what stands before it: the slope ∇ log p(reply), read back through the frozen model.

A reply is a sample, and its slope says which neighbouring actions would have made it likelier. So one stored reply tells about
a whole neighbourhood of actions (the score function of Williams 1992), where its reward alone tells about one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from agents.models.sampling import log_likelihood
from simworld.core.errors import InputError
from simworld.training.teacher import Lesson, Teacher

Prefixes = Callable[[Tensor], Tensor]  # actions (B, d) → prefixes (B, L, width)


def likelihoods(teacher: Teacher, lesson: Lesson, hidden: Tensor) -> Tensor:
    """The log-probability of the reply behind each of K prefixes, (K,) float32 in nats, with gradients to the outputs.

    p is the distribution that the reply was drawn from, with its temperature, repetition penalty and cuts.

    Args:
        teacher: gave the lesson.
        lesson: whose reply it is.
        hidden: (K, reply, width), the outputs behind the prefixes (`Teacher.read`).

    Raises:
        InputError: the reply was not drawn: at temperature 0 it has no likelihood.
    """
    sampling = lesson.sample.sampling
    if not sampling.temperature > 0:
        raise InputError(
            f"episode {lesson.sample.episode}: its replies were made at temperature 0, so they have no likelihood to follow; "
            "play with a temperature above 0"
        )
    targets = lesson.targets.to(hidden.device)
    before = torch.tensor([*lesson.begun, *lesson.targets.tolist()], device=hidden.device)
    seen = [before[: len(lesson.begun) + i] for i in range(len(targets))]
    return torch.stack([log_likelihood(logits, targets, sampling, seen).sum() for logits in teacher.logits(hidden)])


def slope(teacher: Teacher, lesson: Lesson, prefixes: Prefixes, action: Tensor) -> Tensor:
    """∇ log p(reply | prefixes(action)) at an action (d,), in nats, (d,) float32.

    p is that of `likelihoods`: with another one slopes would not be 0 on the mean, and what makes them so would pass for an effect
    of actions on rewards. Raises InputError as it does.
    """
    with torch.enable_grad():
        at = action.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(likelihoods(teacher, lesson, teacher.read(lesson, prefixes(at[None])))[0], at)
    return gradient.float().cpu()
