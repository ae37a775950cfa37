"""Planner checkpoints in memory: networks, up-mapping and normalisation, and the language model
they fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.steering.checkpoint_folder import (
    PlannerFolder,
    checkpoint_id,
    read_folder,
    tensor_problems,
    write_folder,
)
from agents.steering.checkpoint_info import ActorInfo, CheckpointInfo, EncoderInfo
from agents.steering.named_ways import neutral_action
from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from agents.steering.projection import Projection
from agents.steering.upmap import UpMap
from simworld.core.errors import InputError
from simworld.core.requests import ModelInfo

__all__ = [
    "ActorInfo",
    "Checkpoint",
    "CheckpointInfo",
    "EncoderInfo",
    "check_fits_model",
    "checkpoint_from_folder",
    "load_checkpoint",
    "save_checkpoint",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A planner: with an actor, a constant action or blind actions, or an up-mapping alone.

    Raises ValueError with everything in which the tensors do not fit the info, numbers that are not
    finite included.
    """

    info: CheckpointInfo
    upmap: UpMap
    actor: Actor | None = None
    mean: Tensor  # (d_s,) float32, of the states trained on
    std: Tensor  # (d_s,) float32, above 0
    constant: Tensor | None = None  # (d',) float32
    # (n, 1 + d') float32: a share of turns left, and the action chosen then for another dialogue
    blind: Tensor | None = None
    ways: Tensor | None = None  # (n, d') float32, actions that are ways of replying, to try

    def __post_init__(self) -> None:
        texts = tensor_problems(self.info, self.to_arrays())
        for name in ("tokens", "act_norm", "embedding_norm"):
            if getattr(self.upmap, name) != getattr(self.info, name):
                texts.append(
                    f"{name} is {getattr(self.upmap, name)} in the up-mapping,"
                    f" {getattr(self.info, name)} in the info"
                )
        if (
            self.actor is not None
            and self.info.actor is not None
            and self.actor.projection != self.info.actor.projection
        ):
            texts.append(
                f"the actor projects to a {self.actor.projection}, the info says"
                f" {self.info.actor.projection}"
            )
        if texts:
            raise ValueError("; ".join(texts))

    @property
    def id(self) -> str:
        """The id of the content as it is now."""
        return checkpoint_id(self.info, self.to_arrays())

    @property
    def projection(self) -> Projection:
        """Of its actions; the sphere where there is no actor."""
        return "sphere" if self.info.actor is None else self.info.actor.projection

    @property
    def normalizer(self) -> Normalizer:
        """What the actor's states are standardised by."""
        return Normalizer(mean=self.mean, std=self.std)

    @property
    def neutral_action(self) -> Tensor | None:
        """The action (d',) float32 that changes nothing, (√d', 0, …, 0); None where the up-mapping
        is not latent, so none is known.
        """
        if self.info.upmap != "latent":
            return None
        return torch.from_numpy(neutral_action(self.info.d_action))

    def choose_actions(self, state: Tensor) -> Tensor:
        """Actions (B, d') float32 for raw states (B, d_s) float32, standardised here. Raises
        ValueError where it has no policy, or one that does not read states.
        """
        if self.constant is not None:
            return self.constant.expand(len(state), -1)
        if self.blind is not None:
            raise ValueError(f"planner {self.id} is blind: its actions are drawn turn by turn")
        if self.actor is None:
            raise ValueError(
                f"planner {self.id} is an up-mapping alone; it has neither an actor nor a constant"
                " action"
            )
        action: Tensor = self.actor(self.normalizer.standardise(state))
        return action

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """All tensors by the names they have in the folder."""
        tensors = {"upmap.weight": self.upmap.weight, "mean": self.mean, "std": self.std}
        if self.constant is not None:
            tensors["constant"] = self.constant
        if self.blind is not None:
            tensors["blind"] = self.blind
        if self.ways is not None:
            tensors["ways"] = self.ways
        if self.actor is not None:
            tensors |= {f"actor.{name}": value for name, value in self.actor.state_dict().items()}
        return {name: value.detach().cpu().numpy() for name, value in tensors.items()}


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes `planner.json` and `planner.safetensors`, all or nothing, and returns the folder.

    An older checkpoint there is replaced. Raises InputError where the folder holds anything else or
    cannot be written.
    """
    write_folder(folder, checkpoint.info, checkpoint.to_arrays())
    return folder


def load_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint of a folder, on the CPU, its weights frozen. Raises InputError, one line for
    each problem.
    """
    return checkpoint_from_folder(read_folder(folder))


def checkpoint_from_folder(planner_folder: PlannerFolder) -> Checkpoint:
    """The checkpoint of a folder that was read already."""
    info = planner_folder.info
    tensors = {
        name: torch.from_numpy(np.array(array)) for name, array in planner_folder.arrays.items()
    }
    weight = tensors["upmap.weight"]
    upmap = UpMap(
        weight, tokens=info.tokens, act_norm=info.act_norm, embedding_norm=info.embedding_norm
    )
    upmap.requires_grad_(False)
    actor = None
    if info.actor is not None:
        with torch.device("meta"):  # draws no random numbers
            actor = Actor(
                info.d_state,
                info.d_action,
                hidden=info.actor.hidden,
                projection=info.actor.projection,
                radius=info.actor.radius,
            )
        weights = {
            name.removeprefix("actor."): value
            for name, value in tensors.items()
            if name.startswith("actor.")
        }
        actor.load_state_dict(weights, assign=True)
        actor.requires_grad_(False)
    return Checkpoint(
        info=info,
        upmap=upmap,
        actor=actor,
        mean=tensors["mean"],
        std=tensors["std"],
        constant=tensors.get("constant"),
        blind=tensors.get("blind"),
        ways=tensors.get("ways"),
    )


def check_fits_model(checkpoint: Checkpoint, info: ModelInfo) -> None:
    """Raises InputError where the planner was made for another language model, or for one of
    another width.

    Another number format of the same model is none of these: `agent show` notes it.
    """
    fitted, planner = checkpoint.info, f"planner {checkpoint.id[:11]}…"
    if info.width is None:
        raise InputError(
            f"{planner} needs a local model; {info.spec} is a server, which takes no prefix"
            " embeddings"
        )
    if fitted.lm_id != info.id:
        raise InputError(
            f"{planner} was made for {fitted.lm_spec} ({fitted.lm_id[:12]}…), not for {info.spec}"
            f" ({info.id[:12]}…); use that model or train a planner for this one"
        )
    if fitted.width != info.width:
        raise InputError(
            f"{planner} makes embeddings of {fitted.width} numbers; {info.spec} has {info.width}"
        )
