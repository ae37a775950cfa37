"""A request becomes a row of the batch, or is refused with a reason."""

from __future__ import annotations

import numpy as np

from agents.lm.local.decoding_row import DecodingRow, new_row
from agents.lm.local.local_model import LocalModel
from simworld.core.errors import Failure, model_failure
from simworld.core.requests import Encode, Generate, Prefix, Request


def prepare_row(
    local: LocalModel, ticket: int, request: Request, submitted: float
) -> DecodingRow | Failure:
    """The row of a Generate or an Encode, or why this model cannot serve it. Raises PromptError."""
    if isinstance(request, Encode):
        tokens = local.prompt_tokenizer.tokenise(request.prompt, "end")
        if not tokens.prefix_index:
            return model_failure(
                "prompt",
                "the prompt has no token before the header of the reply, so it has no state",
            )
        return _fit_to_context(
            local, new_row(ticket, request, tokens.ids[: tokens.prefix_index], submitted)
        )
    if not isinstance(request, Generate):
        return model_failure(
            "unsupported", f"a language model cannot answer {type(request).__name__}"
        )
    if request.sampling.max_new_tokens < 1:
        return model_failure(
            "invalid", f"max_new_tokens is {request.sampling.max_new_tokens}; it must be at least 1"
        )
    if request.json_schema is not None:
        return model_failure(
            "unsupported",
            "structured output needs a server (openai:…); a local model writes free text",
        )
    if request.prefix is not None and (reason := _prefix_failure(local, request.prefix)):
        return reason
    tokens = local.prompt_tokenizer.tokenise(
        request.prompt, request.prefix.position if request.prefix else "start"
    )
    return _fit_to_context(
        local,
        new_row(
            ticket,
            request,
            tokens.ids,
            submitted,
            reply_start=tokens.reply_start,
            prefix_index=tokens.prefix_index,
            in_thought=tokens.in_thought,
        ),
    )


def context_failure(local: LocalModel, prompt: int, reply: int) -> Failure | None:
    """Why so many tokens of a prompt, prefix included, and of a reply are too many; None where they
    fit.
    """
    if local.context_length is None or prompt + reply <= local.context_length:
        return None
    asked = f"{prompt} prompt tokens and up to {reply} new ones" if reply else f"{prompt} tokens"
    return model_failure(
        "too-long", f"{asked} do not fit the model's context of {local.context_length}"
    )


def _fit_to_context(local: LocalModel, row: DecodingRow) -> DecodingRow | Failure:
    return context_failure(local, len(row.input_ids), len(row.uniforms)) or row


def _prefix_failure(local: LocalModel, prefix: Prefix) -> Failure | None:
    if local.input_scale is None:
        message = (
            f"{type(local.model).__name__} does not work from embeddings alone, so it takes no"
            " prefix"
        )
        return model_failure("unsupported", message)
    shape = np.shape(prefix.embeddings)
    if len(shape) != 2 or not shape[0] or shape[1] != local.width:
        message = (
            f"the prefix has the shape {shape}; it must be (L, {local.width}) with L at least 1"
        )
        return model_failure("invalid", message)
    if not np.isfinite(prefix.embeddings).all():
        return model_failure("invalid", "the prefix has numbers that are not finite")
    return None
