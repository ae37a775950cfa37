"""Checkpoints by hand: two action numbers, three prefix numbers per token, a state of four."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from agents.steering.checkpoint import ActorInfo, Checkpoint, CheckpointInfo, EncoderInfo
from agents.steering.planner import Actor
from agents.steering.upmap import UpMap


@pytest.fixture(scope="session")
def make_info() -> Callable[..., CheckpointInfo]:
    """The info of a checkpoint without a policy for a model of width 3; anything else by name."""

    def make(**changes: Any) -> CheckpointInfo:
        fields: dict[str, Any] = {
            "lm_id": "hash-1",
            "lm_spec": "hf:tiny",
            "dtype": "float32",
            "width": 3,
            "position": "end",
            "encoder": EncoderInfo(kind="lm", id="lm-1"),
            "d_state": 4,
            "d_action": 2,
            "tokens": 2,
            "act_norm": 0.5,
            "embedding_norm": 4.0,
            "upmap": "pca",
        }
        return CheckpointInfo(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def make_checkpoint(make_info: Callable[..., CheckpointInfo]) -> Callable[..., Checkpoint]:
    """A checkpoint with random weights: `policy` is "actor", "constant", "blind" (three actions),
    or "" for an up-mapping alone."""

    def make(
        policy: str = "", *, seed: int = 0, hidden: tuple[int, ...] = (5,), **changes: Any
    ) -> Checkpoint:
        actor = ActorInfo(hidden=hidden, projection="sphere") if policy == "actor" else None
        blind_count = 3 if policy == "blind" else 0
        info = make_info(actor=actor, constant=policy == "constant", blind=blind_count, **changes)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            weight = torch.randn(info.d_action, info.tokens * info.width)
            made = (
                Actor(info.d_state, info.d_action, hidden=hidden, projection="sphere")
                if actor
                else None
            )
            mean, std = torch.randn(info.d_state), torch.rand(info.d_state) + 0.5
            constant = torch.randn(info.d_action) if info.constant else None
            ways = torch.randn(info.ways, info.d_action) if info.ways else None
            blind = torch.randn(info.blind, 1 + info.d_action) if info.blind else None
        upmap = UpMap(
            weight, tokens=info.tokens, act_norm=info.act_norm, embedding_norm=info.embedding_norm
        )
        return Checkpoint(
            info=info,
            upmap=upmap,
            actor=made,
            mean=mean,
            std=std,
            constant=constant,
            blind=blind,
            ways=ways,
        )

    return make
