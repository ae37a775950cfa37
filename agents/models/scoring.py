"""Log-probabilities of continuations after one shared prompt: the prompt is read once, the continuations together."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from agents.models.local_model import LocalModel
from agents.models.prompts import Continuation

_CELLS = 2**24  # logits held at once, rows x tokens x vocabulary: 64 MB in float32
_CACHED = 2**14  # tokens held at once in copies of the prompt's cache: 750 MB for the built-in model


def score(local: LocalModel, continuations: Sequence[Continuation]) -> list[float]:
    """The log-probability of each continuation given what stands before it, nats, summed over its tokens; in order."""
    shared = min(c.start for c in continuations)
    device = local.device
    prefix = torch.tensor([continuations[0].ids[:shared]], device=device)
    cache = local.new_cache()
    places = torch.arange(shared, device=device)[None]
    first = local.forward(prefix, torch.ones_like(prefix), places, cache, keep=1)[0, 0].log_softmax(-1)
    tails = [list(c.ids[shared:]) for c in continuations]
    results = [0.0] * len(tails)
    order = sorted(range(len(tails)), key=lambda i: len(tails[i]))
    while order:
        width = len(tails[order[-1]])
        count = max(1, min(_CELLS // (width * first.shape[-1]), _CACHED // (shared + width)))
        chosen, order = order[-count:], order[:-count]
        for i, values in zip(chosen, _tails(local, cache, shared, [tails[i] for i in chosen]), strict=True):
            tail = tails[i]
            each = [float(first[tail[0]]), *values]
            results[i] = sum(each[continuations[i].start - shared :])
    return results


def _tails(local: LocalModel, cache: object, shared: int, tails: Sequence[list[int]]) -> list[list[float]]:
    """Per tail the log-probabilities of its second and later tokens."""
    width = max(len(tail) for tail in tails) - 1
    if width == 0:
        return [[] for _ in tails]
    device = local.device
    rows = len(tails)
    ids = torch.zeros(rows, width, dtype=torch.int64, device=device)
    mask = torch.zeros(rows, shared + width, dtype=torch.int64, device=device)
    mask[:, :shared] = 1
    for i, tail in enumerate(tails):
        length = len(tail) - 1
        ids[i, :length] = torch.tensor(tail[:-1], device=device)
        mask[i, shared : shared + length] = 1
    branch = copy.deepcopy(cache)
    with torch.inference_mode():
        branch.batch_repeat_interleave(rows)  # type: ignore[attr-defined]
    places = torch.arange(shared, shared + width, device=device)[None].expand(rows, width)
    logits = local.forward(ids, mask, places, branch, keep=width).log_softmax(-1)
    found = []
    for i, tail in enumerate(tails):
        wanted = torch.tensor(tail[1:], dtype=torch.int64, device=device)
        found.append(logits[i, : len(wanted)].gather(-1, wanted[:, None])[:, 0].double().tolist())
    return found
