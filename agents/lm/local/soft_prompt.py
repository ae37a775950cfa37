"""Where the steering prefix enters the prompt: a soft prompt (`prompt_embeds` in vLLM).

Its vectors stand among the token ids as numbers below zero, made from their content: so one rule,
the longest common prefix, tells what a cache is good for, with prefixes and without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simworld.core.requests import Prefix


def insert_prefix(
    prompt_ids: Sequence[int], prefix_index: int, prefix: Prefix | None
) -> tuple[list[int], dict[int, NDArray[np.float32]]]:
    """The input ids with the prefix before `prompt_ids[prefix_index]`, and its embeddings by the
    ids that stand for them.
    """
    embeddings = () if prefix is None else np.array(prefix.embeddings, np.float32)
    prefix_ids = [_prefix_id(vector) for vector in embeddings]
    input_ids = [*prompt_ids[:prefix_index], *prefix_ids, *prompt_ids[prefix_index:]]
    return input_ids, dict(zip(prefix_ids, embeddings, strict=True))


def embed_with_prefix(
    model: Any,
    input_ids: Tensor,
    prefix_embeddings: Mapping[int, NDArray[np.float32]],
    scale: float,
) -> Tensor:
    """The model's `inputs_embeds` (1, tokens, d_model): token embeddings, and those of the prefix
    divided by `scale`, by which the model multiplies what it is given.
    """
    embeddings: Tensor = model.get_input_embeddings()(input_ids.clamp_min(0))
    is_prefix = input_ids[0] < 0
    vectors = [prefix_embeddings[prefix_id] for prefix_id in input_ids[0, is_prefix].tolist()]
    embeddings[0, is_prefix] = torch.from_numpy(np.stack(vectors) / scale).to(embeddings)
    return embeddings


def _prefix_id(vector: NDArray[np.float32]) -> int:
    """A number below zero for a vector, 56 bits of its hash: equal vectors have equal ones."""
    return -1 - int.from_bytes(hashlib.blake2b(vector.tobytes(), digest_size=7).digest(), "big")
