"""`simworld train upmap`: checkpoints to explore with."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agents.lm import load_backend
from agents.steering.checkpoint import check_fits_model, load_checkpoint
from simworld.cli.train.upmap import upmap
from simworld.core.errors import InputError, ModelError


def invoke(*args: str) -> Result:
    return CliRunner().invoke(upmap, list(args))


@pytest.mark.parametrize("family", ["llama", "gemma"])  # gemma multiplies its embeddings by √width
def test_the_checkpoint_fits_its_model(
    make_folder: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    spec = f"hf:{make_folder(family)}"
    out = tmp_path / "bare"
    sizes = [
        "--tokens",
        "2",
        "--action-size",
        "6",
        "--act-norm",
        "0.5",
        "--position",
        "mid",
        "--mode",
        "repeated",
    ]
    told = json.loads(
        invoke("--model", spec, "--dtype", "float32", *sizes, "--out", str(out), "--json").stdout
    )
    made = load_checkpoint(out)
    assert told["id"] == made.id
    with_backend = load_backend(spec, dtype="float32", device="cpu")
    info = with_backend.info
    with_backend.close()
    check_fits_model(made, info)
    assert (made.info.d_state, made.info.d_action, made.info.tokens, made.info.width) == (
        33,
        6,
        2,
        32,
    )
    assert (made.info.position, made.info.act_norm, made.info.upmap, made.info.actor) == (
        "mid",
        0.5,
        "pca",
        None,
    )
    assert made.info.embedding_norm == pytest.approx(info.embedding_norm, rel=1e-5)
    left, right = (
        made.upmap.weight.detach().numpy()[:, :32],
        made.upmap.weight.detach().numpy()[:, 32:],
    )
    assert np.array_equal(left, right)
    assert np.allclose(left @ left.T, np.eye(6), atol=1e-5)


def test_people_are_told_what_it_is_and_how_to_use_it(llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "bare"
    result = invoke(
        "--model", f"hf:{llama}", "--dtype", "float32", "--out", str(out), "--action-size", "16"
    )
    first, second, last = result.stdout.splitlines()
    assert first.startswith(
        f"{out}: {load_checkpoint(out).id}: 16 numbers to 4 embeddings of 32, about "
    )
    assert first.endswith(" long, at end")
    assert second == f"  steering: {{planner: {out}, explore: {{kind: random}}}}"
    assert last == f"next: simworld train clone --upmap {out} --train-upmap --out {out}-clone"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--action-size", "9"],
            "an action of 9 numbers cannot be split into 4 equal groups, one for each token",
        ),
        (
            ["--action-size", "40", "--mode", "repeated"],
            "embeddings of 32 numbers have 32 directions, not 40",
        ),
    ],
)
def test_sizes_that_do_not_go_together(
    llama: Path, tmp_path: Path, args: list[str], message: str
) -> None:
    result = invoke("--model", f"hf:{llama}", *args, "--out", str(tmp_path / "bare"))
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_server_has_no_embeddings(tmp_path: Path) -> None:
    result = invoke("--model", "openai:m@http://127.0.0.1:1/v1", "--out", str(tmp_path / "bare"))
    assert isinstance(result.exception, ModelError)
    assert "expected a local one, builtin:NAME or hf:FOLDER" in str(result.exception)


@pytest.mark.model
def test_states_from_a_sentence_encoder(llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "bare"
    sizes = ["--action-size", "16", "--text-encoder", "builtin:all-minilm-l6-v2"]
    assert invoke("--model", f"hf:{llama}", *sizes, "--out", str(out)).exit_code == 0
    info = load_checkpoint(out).info
    assert (info.d_state, info.encoder.kind, info.encoder.model) == (
        385,
        "text",
        "builtin:all-minilm-l6-v2",
    )
