"""From logits to tokens: what logits processors do elsewhere (temperature, top-k, top-p, min-p,
repetition penalty), then the inverse distribution function; each row by its settings and uniform.

A row's token depends on nothing but its logits, its settings, its uniform and (for the repetition
penalty) its own tokens: the other rows of a batch, and their number, change nothing. Ties stay
together: a cut keeps all tokens as likely as the last one kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from simworld.core.requests import Sampling

# at a time on a processor: what is computed from more logits than that does not stay in its caches
_CPU_ROWS = 4
_TOP_K_BLOCK = 128  # scores of which only the largest counts at first
# top-p without top-k looks at this many tokens first, and at 8 times more while they do not hold
# the mass
_TOP_P_CANDIDATES = 64


def sample_tokens(
    logits: Tensor,
    settings: Sequence[Sampling],
    uniforms: Tensor,
    seen: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """One token per row, and its log-probability under the raw model at temperature 1.

    Args:
        logits: (rows, vocabulary), float. A row that is not finite gets some token, and NaN for its
            log-probability.
        settings: one per row.
        uniforms: (rows,) float64 in [0, 1).
        seen: per row the ids of the tokens in prompt and reply, for the repetition penalty;
            needed only where one is set.

    Returns:
        tokens (rows,) int64 and log-probabilities (rows,) float64, in nats.
    """
    if logits.device.type == "cpu" and len(settings) > _CPU_ROWS:
        parts = [slice(low, low + _CPU_ROWS) for low in range(0, len(settings), _CPU_ROWS)]
        sampled = [
            sample_tokens(logits[p], settings[p], uniforms[p], None if seen is None else seen[p])
            for p in parts
        ]
        return torch.cat([tokens for tokens, _ in sampled]), torch.cat(
            [logprobs for _, logprobs in sampled]
        )
    raw = logits.float()
    scores = _apply_repetition_penalty(raw, settings, seen)
    tokens = torch.empty(len(settings), dtype=torch.int64, device=raw.device)
    greedy = [i for i, s in enumerate(settings) if s.temperature == 0 or s.top_k == 1]
    limited = [i for i, s in enumerate(settings) if s.temperature > 0 and s.top_k > 1]
    unlimited = [i for i, s in enumerate(settings) if s.temperature > 0 and s.top_k <= 0]
    if greedy:
        tokens[greedy] = scores[greedy].argmax(-1)
    if len(limited) == len(settings):
        tokens = _sample_top_k(scores, settings, uniforms)
    elif limited:
        tokens[limited] = _sample_top_k(
            scores[limited], [settings[i] for i in limited], uniforms[limited]
        )
    if unlimited:
        tokens[unlimited] = _sample_vocabulary(
            scores[unlimited], [settings[i] for i in unlimited], uniforms[unlimited]
        )
    return tokens, raw.log_softmax(-1).gather(-1, tokens[:, None])[:, 0].double()


def log_likelihood(
    logits: Tensor, tokens: Tensor, setting: Sampling, seen: Sequence[Tensor]
) -> Tensor:
    """The logarithm of the probability with which `sample_tokens` draws each token, (n,) float32,
    with gradients to the logits.

    What the cuts leave is taken as fixed; a token that they leave out is kept with it, for the
    logits of a reply that is read again differ a little from those that it was drawn from.

    Args:
        logits: (n, vocabulary).
        tokens: (n,) int64.
        setting: of all rows; its temperature above 0.
        seen: as for `sample_tokens`.
    """
    settings, raw = [setting] * len(tokens), logits.float()
    is_seen = torch.zeros_like(raw, dtype=torch.bool)
    for row, ids in zip(is_seen, seen, strict=True):
        row[ids] = True
    # Not by `_apply_repetition_penalty`: writing one number twice does harm to gradients.
    penalty = setting.repetition_penalty
    scores = torch.where(is_seen, torch.where(raw < 0, raw * penalty, raw / penalty), raw)
    with torch.no_grad():
        size = scores.shape[-1]
        values = scores.topk(
            min(setting.top_k, size) if setting.top_k > 0 else size, sorted=True
        ).values
        weights = _unnormalised_probabilities(values, settings, None)  # 0 below min-p
        lowest = values.masked_fill(weights == 0, torch.inf).amin(-1, keepdim=True)
        floor = torch.maximum(lowest, _top_p_floor(values, weights, settings))
        kept = (scores >= floor).scatter(-1, tokens[:, None], True)
    log_probs = (scores / setting.temperature).masked_fill(~kept, -torch.inf).log_softmax(-1)
    return log_probs.gather(-1, tokens[:, None])[:, 0]


def _apply_repetition_penalty(
    raw: Tensor, settings: Sequence[Sampling], seen: Sequence[Tensor] | None
) -> Tensor:
    """Logits of seen tokens made less likely, as transformers does it: positive ones divided,
    negative ones multiplied.
    """
    rows = [i for i, s in enumerate(settings) if s.repetition_penalty != 1]
    if not rows:
        return raw
    if seen is None:
        raise ValueError("a repetition penalty needs the tokens seen so far")
    # Shorter rows are filled up with their first token: writing the same number twice does no harm.
    width = max(1, *(len(seen[i]) for i in rows))
    padded_ids = torch.stack([_pad_with_first(seen[i], width) for i in rows])
    penalties = _column(
        raw, [settings[i].repetition_penalty if len(seen[i]) else 1.0 for i in rows], raw.dtype
    )
    penalised = raw[rows] if len(rows) < len(settings) else raw.clone()
    values = penalised.gather(-1, padded_ids)
    penalised.scatter_(
        -1, padded_ids, torch.where(values < 0, values * penalties, values / penalties)
    )
    if len(rows) == len(settings):
        return penalised
    scores = raw.clone()
    scores[rows] = penalised
    return scores


def _pad_with_first(ids: Tensor, width: int) -> Tensor:
    first = ids[:1] if len(ids) else ids.new_zeros(1)
    return torch.cat([ids, first.expand(width - len(ids))])


def _sample_top_k(scores: Tensor, settings: Sequence[Sampling], uniforms: Tensor) -> Tensor:
    """Rows with a top-k: everything after one `topk` works on a few dozen candidates."""
    size = scores.shape[-1]
    ks = _column(scores, [min(s.top_k, size) for s in settings], torch.int64)
    width = min(size, int(ks.max()) + 8)
    values, ids = _blockwise_top_k(scores, width)
    last = values.gather(-1, ks - 1)  # the k-th largest
    # Where ties with the k-th reach the end of the candidates, some may lie outside: those rows
    # look at everything.
    tied_beyond = (values[:, -1:] >= last)[:, 0] & (ks[:, 0] < width) & (width < size)
    weights = _unnormalised_probabilities(values, settings, values >= last)
    weights = weights * (values >= _top_p_floor(values, weights, settings))
    order = ids.sort(-1)
    tokens = order.values.gather(-1, _inverse_cdf(weights.gather(-1, order.indices), uniforms))[
        :, 0
    ]
    for i in tied_beyond.nonzero()[:, 0].tolist():
        row = scores[i : i + 1]
        kept = row.masked_fill(row < last[i], -torch.inf)
        tokens[i] = _sample_vocabulary(kept, settings[i : i + 1], uniforms[i : i + 1])[0]
    return tokens


def _blockwise_top_k(scores: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The largest scores of each row and their places, falling; which of those that tie with the
    last is left open.

    They lie in the blocks whose largest scores are largest, so that few of a large vocabulary need
    be put in order.
    """
    rows, size = scores.shape
    if size % _TOP_K_BLOCK or size < 4 * width * _TOP_K_BLOCK:
        top = scores.topk(width, sorted=True)
        return top.values, top.indices
    blocks = scores.view(rows, -1, _TOP_K_BLOCK)
    chosen = blocks.amax(-1).topk(width).indices
    candidates = blocks.gather(1, chosen[:, :, None].expand(-1, -1, _TOP_K_BLOCK)).view(rows, -1)
    values, positions = candidates.topk(width, sorted=True)
    return values, chosen.gather(
        1, positions // _TOP_K_BLOCK
    ) * _TOP_K_BLOCK + positions % _TOP_K_BLOCK


def _sample_vocabulary(scores: Tensor, settings: Sequence[Sampling], uniforms: Tensor) -> Tensor:
    """Rows without a top-k: no sort of the vocabulary, and a partial one only for top-p."""
    weights = _unnormalised_probabilities(scores, settings, None)
    size = scores.shape[-1]
    for i, setting in enumerate(settings):
        if setting.top_p >= 1:
            continue
        total = weights[i].cumsum(-1)[-1]
        width = min(_TOP_P_CANDIDATES, size)
        while True:
            values = scores[i : i + 1].topk(width, sorted=True).values
            top = _unnormalised_probabilities(values, settings[i : i + 1], None)
            if width == size or bool(top.sum() >= setting.top_p * total):
                break
            width = min(width * 8, size)
        floor = _top_p_floor(values, top, settings[i : i + 1], total)
        weights[i] *= scores[i] >= floor[0]
    return _inverse_cdf(weights, uniforms)[:, 0]


def _unnormalised_probabilities(
    scores: Tensor, settings: Sequence[Sampling], kept: Tensor | None
) -> Tensor:
    """Unnormalised probabilities after temperature and min-p, float64; the likeliest token has
    1.
    """
    temperatures = _column(scores, [s.temperature for s in settings])
    floors = _column(scores, [s.min_p for s in settings])
    top = scores.amax(-1, keepdim=True).double()
    weights = ((scores.double() - top) / temperatures).exp()
    weights = weights * (weights >= floors)
    return weights if kept is None else weights * kept


def _top_p_floor(
    values: Tensor, weights: Tensor, settings: Sequence[Sampling], total: Tensor | None = None
) -> Tensor:
    """The score below which a token is outside the smallest set that holds the share top-p, (rows,
    1).

    `values` falls along each row and `weights` belongs to it; `total` is the mass of a whole row
    where these are only its top.
    """
    top_ps = _column(values, [s.top_p for s in settings])
    # sequential, so the width of the candidates cannot change a bit of it
    mass = weights.cumsum(-1)
    needed = top_ps * (mass[:, -1:] if total is None else total)
    count = (mass < needed).sum(-1, keepdim=True)  # tokens before the one that completes the share
    return values.gather(-1, count.clamp(max=values.shape[-1] - 1))


def _inverse_cdf(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Per row the first index whose cumulated share exceeds the uniform, (rows, 1); weights (rows,
    n) need not sum to 1.
    """
    mass = weights.cumsum(-1)
    total = mass[:, -1:].contiguous()
    index = torch.searchsorted(mass, uniforms[:, None].to(mass) * total, right=True)
    last = torch.searchsorted(mass, total)  # the last index with weight, should rounding overshoot
    return index.minimum(last).clamp(max=weights.shape[-1] - 1)


def _column(like: Tensor, values: Sequence[float], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=like.device)[:, None]
