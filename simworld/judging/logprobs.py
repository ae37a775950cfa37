"""Log-probabilities of continuations, and how they are added and become shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from simworld.core.errors import Failure
from simworld.core.requests import Completion, Scored


def continuation_logprobs(
    completion: Completion, texts: Sequence[str]
) -> Mapping[str, float] | Failure:
    """Continuation → its log-probability in nats, or the failure."""
    if isinstance(completion, Failure):
        return completion
    if not isinstance(completion, Scored) or len(completion.logprobs) != len(texts):
        message = "the backend gave no log-probability per continuation"
        return Failure(boundary="judge", kind="unexpected", message=message)
    if not all(math.isfinite(value) for value in completion.logprobs):
        message = "the model gave a log-probability that is not finite"
        return Failure(boundary="judge", kind="not-finite", message=message)
    return dict(zip(texts, completion.logprobs, strict=True))


def sigmoid(x: float) -> float:
    """The share in (0, 1) of log-odds, also of large ones."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def logsumexp(logprobs: Iterable[float]) -> float:
    """The logarithm of the sum of the exponentials, also of very small ones."""
    values = list(logprobs)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
