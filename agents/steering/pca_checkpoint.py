"""A checkpoint to explore with: an up-mapping along a model's token embeddings, and no planner
yet.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.lm.local.local_model import LocalModel
from agents.steering.checkpoint import Checkpoint, CheckpointInfo, EncoderInfo
from agents.steering.state_encoders import lm_encoder_id, load_text_encoder
from agents.steering.upmap import PCAMode, pca_upmap
from simworld.core.errors import InputError
from simworld.core.requests import Position


def pca_checkpoint(
    local: LocalModel,
    *,
    lm_id: str,
    lm_spec: str,
    position: Position,
    tokens: int,
    d_action: int,
    act_norm: float = 1.0,
    mode: PCAMode = "groups",
    text_encoder: str = "",
) -> Checkpoint:
    """A checkpoint for a loaded model with a PCA up-mapping, without a policy; its states are not
    standardised.

    Args:
        local: the model; its embeddings are read, it is not run.
        lm_id: its content hash.
        lm_spec: what the user calls it.
        position: where prefixes go.
        tokens: L.
        d_action: d'.
        act_norm: length of a prefix vector in mean lengths of a token embedding.
        mode: of `pca_upmap`.
        text_encoder: a sentence encoder's spec; empty: states are the model's own.

    Raises:
        InputError: sizes that do not go together, or a model that cannot read prefixes.
        ModelError: the sentence encoder cannot be loaded.
    """
    if local.input_scale is None:
        raise InputError(
            f"{lm_spec} cannot read prefix embeddings: its layers read more than token embeddings"
        )
    embeddings = token_embeddings(local)
    try:
        upmap = pca_upmap(
            embeddings, d_action=d_action, tokens=tokens, act_norm=act_norm, mode=mode
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    encoder, size = EncoderInfo(kind="lm", id=lm_encoder_id(lm_id, "")), local.width
    if text_encoder:
        text = load_text_encoder(text_encoder)
        encoder, size = EncoderInfo(kind="text", id=text.id, model=text_encoder), text.size
    info = CheckpointInfo(
        lm_id=lm_id,
        lm_spec=lm_spec,
        dtype=local.dtype,
        width=local.width,
        position=position,
        encoder=encoder,
        d_state=size + 1,
        d_action=d_action,
        tokens=tokens,
        act_norm=act_norm,
        embedding_norm=upmap.embedding_norm,
        upmap="pca",
    )
    return Checkpoint(info=info, upmap=upmap, mean=torch.zeros(size + 1), std=torch.ones(size + 1))


def token_embeddings(local: LocalModel) -> Tensor:
    """The embeddings of all tokens as the first layer gets them, (V, d_model) float32 on the
    CPU.
    """
    embed = local.model.get_input_embeddings()  # called, for with some families it scales
    with torch.no_grad():
        embeddings: Tensor = embed(torch.arange(embed.weight.shape[0], device=embed.weight.device))
    return embeddings.float().cpu() * (local.input_scale or 1.0)
