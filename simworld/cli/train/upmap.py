"""`simworld train upmap`: an up-mapping to explore with, before there is anything to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.options import json_option
from simworld.cli.output.text import print_json, say

if TYPE_CHECKING:
    from agents.steering.checkpoint import Checkpoint
    from agents.steering.upmap import PCAMode
    from simworld.core.requests import Position

POSITIVE = click.IntRange(min=1)


@click.command()
@click.option("--model", default="builtin:smollm2-135m-instruct", help="builtin: or hf:.")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    help="Of the model.",
)
@click.option("--tokens", type=POSITIVE, default=4, help="L, the number of prefix embeddings.")
@click.option("--action-size", type=POSITIVE, default=32, help="d', the numbers of an action.")
@click.option(
    "--mode",
    type=click.Choice(["groups", "repeated"]),
    default="groups",
    help="groups: a part of the action for each embedding; repeated: one embedding, L times.",
)
@click.option(
    "--position",
    type=click.Choice(["start", "mid", "end"]),
    default="end",
    help="Before the prompt, between instructions and dialogue, or before the header that opens "
    "the reply.",
)
@click.option(
    "--act-norm",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="Length of a prefix embedding, in lengths of a token embedding.",
)
@click.option(
    "--text-encoder",
    metavar="SPEC",
    default="",
    show_default=False,
    help="States from a sentence encoder, like builtin:all-minilm-l6-v2; default: from the model.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The checkpoint's folder."
)
@json_option
def upmap(
    model: str,
    dtype: str,
    tokens: int,
    action_size: int,
    mode: PCAMode,
    position: Position,
    act_norm: float,
    text_encoder: str,
    out: Path,
    as_json: bool,
) -> None:
    """Make an up-mapping from actions to prefix embeddings, along principal directions of the token
    embeddings.

    Its checkpoint has no planner yet: agents use it with `explore: {kind: random}`, to collect what
    a planner is trained on.
    """
    from agents.lm.local.local_model import load_local_model
    from agents.lm.local_spec import find_local_weights
    from agents.steering.checkpoint import save_checkpoint
    from agents.steering.checkpoint_folder import check_writable
    from agents.steering.pca_checkpoint import pca_checkpoint

    check_writable(out)
    weights = find_local_weights(model)
    say(f"loading {model} …", err=True)
    local = load_local_model(weights, dtype=dtype, device="cpu", cpu_threads=None)
    checkpoint = pca_checkpoint(
        local,
        lm_id=weights.id,
        lm_spec=model,
        position=position,
        tokens=tokens,
        d_action=action_size,
        act_norm=act_norm,
        mode=mode,
        text_encoder=text_encoder,
    )
    save_checkpoint(out, checkpoint)
    _show_checkpoint(checkpoint, out, as_json)


def _show_checkpoint(checkpoint: Checkpoint, out: Path, as_json: bool) -> None:
    info = checkpoint.info
    if as_json:
        print_json({"id": checkpoint.id, "folder": str(out), **info.model_dump(mode="json")})
        return
    norm = info.act_norm * info.embedding_norm
    summary = (
        f"{info.d_action} numbers to {info.tokens} embeddings of {info.width}, about {norm:.3g}"
        f" long, at {info.position}"
    )
    say(f"{out}: {checkpoint.id}: {summary}")
    say(f"  steering: {{planner: {out}, explore: {{kind: random}}}}")
    suggest_next("train clone", "--upmap", str(out), "--train-upmap", "--out", f"{out}-clone")
