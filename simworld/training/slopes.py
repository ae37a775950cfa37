"""How the likelihood of a reply changes with what stands before it: the slope ∇ log p(reply), read back through the frozen model.

A reply is a sample, and its slope says which neighbouring actions would have made it likelier. So one stored reply tells about
a whole neighbourhood of actions (the score function of Williams 1992), where its reward alone tells about one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from simworld.core.errors import InputError
from simworld.training.teacher import Lesson, Teacher

Prefixes = Callable[[Tensor], Tensor]  # actions (B, d) → prefixes (B, L, width)


def slope(teacher: Teacher, lesson: Lesson, prefixes: Prefixes, action: Tensor) -> Tensor:
    """∇ log p(reply | prefixes(action)) at an action (d,), in nats, (d,) float32; the reply's log-probability is summed over
    tokens.

    p is the distribution that the reply was drawn from as to its temperature. Cuts (top-k, top-p) and the repetition penalty
    are left out of it: inside the cut they change all tokens of a place alike, or hardly.

    Raises:
        InputError: the reply was not drawn: at temperature 0 it has no likelihood.
    """
    temperature = lesson.sample.temperature
    if not temperature > 0:
        raise InputError(
            f"episode {lesson.sample.episode}: its replies were made at temperature 0, so they have no likelihood to follow; "
            "play with a temperature above 0"
        )
    with torch.enable_grad():
        at = action.detach().clone().requires_grad_(True)
        found = (teacher.log_probs(teacher.read(lesson, prefixes(at[None])))[0] / temperature).log_softmax(-1)
        likelihood = found.gather(-1, lesson.targets.to(found.device)[:, None]).sum()
        (gradient,) = torch.autograd.grad(likelihood, at)
    return gradient.float().cpu()
