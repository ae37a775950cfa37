"""Log-probabilities of continuations after a shared prompt: the prompt is read once into its
thread's cache, and the continuations as a tree behind it, in one packed sequence in which each
token attends to the prompt and to its own ancestors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from agents.lm.local.attention import PackedPass, PrefillSpan
from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.local.local_model import LocalModel
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.prompt_tokenizer import Continuation

MAX_TREE_TOKENS = 512  # tokens of a tree per pass, unless a single continuation is longer


@dataclass(slots=True, eq=False)
class _ContinuationTree:
    """Continuations merged where they begin alike; node 0 is the prompt's last token, which is read
    already.
    """

    tokens: list[int] = field(default_factory=lambda: [-1])
    parents: list[int] = field(default_factory=lambda: [-1])
    # per continuation the node before each of its tokens
    paths: list[list[int]] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def new_nodes(self, tail: Sequence[int]) -> int:
        """How many nodes a continuation would add; its last token is never read."""
        node = 0
        for i, token in enumerate(tail[:-1]):
            child = self.children.get((node, token))
            if child is None:
                return len(tail) - 1 - i
            node = child
        return 0

    def add(self, tail: Sequence[int]) -> None:
        node, path = 0, [0]
        for token in tail[:-1]:
            child = self.children.setdefault((node, token), len(self.tokens))
            if child == len(self.tokens):
                self.tokens.append(token)
                self.parents.append(node)
            node = child
            path.append(node)
        self.paths.append(path)

    def span(self, kv: Tensor, start: int) -> PrefillSpan:
        """The nodes but the first as new tokens behind the prompt."""
        count = len(self.tokens) - 1
        sees = torch.eye(count, dtype=torch.bool)
        depths = [0] * count
        for i, parent in enumerate(self.parents[1:]):
            if parent:
                sees[i] |= sees[parent - 1]
                depths[i] = depths[parent - 1] + 1
        return PrefillSpan(
            kv, start, count, torch.tensor(depths, device=kv.device), sees.to(kv.device)
        )


def score_continuations(
    local: LocalModel,
    prefix_cache: PrefixCache,
    meter: Meter,
    thread_name: str,
    continuations: Sequence[Continuation],
) -> list[float]:
    """The log-probability of each continuation given what stands before it, nats, summed over its
    tokens; in order.

    Their prompts may differ; what all of them begin with is read once and stays in the thread.
    """
    prompt_length = _shared_prompt_length(continuations)
    prompt = list(continuations[0].ids[:prompt_length])
    tails = [list(c.ids[prompt_length:]) for c in continuations]
    cached_thread = prefix_cache.open_thread(
        thread_name, prompt, prompt_length + max(MAX_TREE_TOKENS, max(map(len, tails)))
    )
    start = min(len(cached_thread.ids), prompt_length - 1)
    cached_thread.ids = cached_thread.ids[:start]
    unread_ids = prompt[start:]
    prompt_logits = torch.empty(0)
    results = [0.0] * len(tails)
    for indices, tree in _build_trees(tails):
        # The rest of the prompt goes with the first tree: a pass over a few tokens costs as much as
        # one over many.
        ids, spans = unread_ids + tree.tokens[1:], []
        if unread_ids:
            spans.append(PrefillSpan(cached_thread.kv, start, len(unread_ids)))
        if len(tree.tokens) > 1:
            spans.append(tree.span(cached_thread.kv, prompt_length))
        logits = (
            _forward(local, meter, ids, spans, range(max(0, len(unread_ids) - 1), len(ids)))
            if ids
            else prompt_logits
        )
        if unread_ids:
            prompt_logits, cached_thread.ids, unread_ids = logits[:1], prompt, []
        elif ids:
            logits = torch.cat([prompt_logits, logits])
        nodes = [node for path in tree.paths for node in path]
        wanted = [token for i in indices for token in tails[i]]
        log_probs = _log_probabilities(logits, nodes, wanted)
        offset = 0
        for i in indices:
            each = log_probs[offset : offset + len(tails[i])]
            offset += len(tails[i])
            results[i] = sum(each[continuations[i].start - prompt_length :])
    return results


def _shared_prompt_length(continuations: Sequence[Continuation]) -> int:
    """How many tokens all prompts begin with; at least 1, for which the prompts must begin
    alike.
    """
    first = continuations[0]
    return min(
        min(c.start, common_prefix_length(first.ids[: first.start], c.ids)) for c in continuations
    )


def _forward(
    local: LocalModel,
    meter: Meter,
    ids: Sequence[int],
    spans: Sequence[PrefillSpan],
    keep: Sequence[int],
) -> Tensor:
    meter.scored_tokens += len(ids)
    return local.forward(ids, PackedPass((), spans, local.device), keep)


def _build_trees(tails: Sequence[list[int]]) -> Iterator[tuple[list[int], _ContinuationTree]]:
    """Trees of bounded size with the numbers of their continuations; neighbours in the order of
    their tokens share most.
    """
    tree, chosen = _ContinuationTree(), list[int]()
    for i in sorted(range(len(tails)), key=lambda i: tails[i]):
        if chosen and len(tree.tokens) + tree.new_nodes(tails[i]) > MAX_TREE_TOKENS:
            yield chosen, tree
            tree, chosen = _ContinuationTree(), []
        tree.add(tails[i])
        chosen.append(i)
    if chosen:
        yield chosen, tree


def _log_probabilities(logits: Tensor, nodes: Sequence[int], tokens: Sequence[int]) -> list[float]:
    """Of each token after its node."""
    with torch.inference_mode():
        values = logits.float()
        totals = values.logsumexp(-1)
        rows = torch.tensor(nodes, device=logits.device)
        log_probs = (
            values[rows, torch.tensor(tokens, device=logits.device)].double()
            - totals[rows].double()
        )
    return [float(value) for value in log_probs.tolist()]
