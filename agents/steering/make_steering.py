"""From a `steering:` block and its planner to the Steering of an agent."""

from __future__ import annotations

from agents.steering.checkpoint import Checkpoint, check_fits_model, checkpoint_from_folder
from agents.steering.checkpoint_folder import PlannerFolder
from agents.steering.exploration import make_exploration
from agents.steering.state_encoders import LMEncoder, StateEncoder, lm_encoder_id, load_text_encoder
from agents.steering.steering import Policy, Steering
from agents.steering.steering_spec import SteeringSpec
from agents.steering.upmap import UpMap
from simworld.core.errors import InputError
from simworld.core.requests import ModelInfo


def make_state_recording(info: ModelInfo, prompt_version: str) -> Steering:
    """States alone, for an agent that is not steered."""
    return Steering(encoder=LMEncoder(id=lm_encoder_id(info.id, prompt_version)))


def make_steering(
    spec: SteeringSpec, planner: PlannerFolder, info: ModelInfo, prompt_version: str
) -> Steering:
    """The steering of an agent. Raises InputError where the planner does not fit its model,
    ModelError for a sentence encoder.
    """
    checkpoint = checkpoint_from_folder(planner)
    check_fits_model(checkpoint, info)
    warnings = []
    encoder = _make_encoder(checkpoint, info, prompt_version)
    if checkpoint.actor is not None and encoder.id != checkpoint.info.encoder.id:
        if checkpoint.info.encoder.kind == "text":
            raise InputError(
                f"planner {planner.id[:11]}… was trained with another sentence encoder than it"
                " names now"
            )
        warnings.append(
            f"planner {planner.id[:11]}… was trained with another prompt, so on other states"
        )
    trained = checkpoint.upmap
    norm = spec.act_norm or trained.act_norm
    upmap = UpMap(
        trained.weight.detach(),
        tokens=trained.tokens,
        act_norm=norm,
        embedding_norm=trained.embedding_norm,
    )
    explore = None
    if spec.explore is not None:
        explore = make_exploration(spec.explore, checkpoint.ways)
    policy = Policy(
        checkpoint=checkpoint,
        planner_id=planner.id,
        upmap=upmap,
        position=spec.position or checkpoint.info.position,
        exploration=explore,
    )
    return Steering(encoder=encoder, policy=policy, warnings=tuple(warnings))


def _make_encoder(checkpoint: Checkpoint, info: ModelInfo, prompt_version: str) -> StateEncoder:
    encoder = checkpoint.info.encoder
    if encoder.kind == "text":
        return load_text_encoder(encoder.model)
    return LMEncoder(id=lm_encoder_id(info.id, prompt_version))
