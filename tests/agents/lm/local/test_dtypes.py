"""Every processor runs every number format, and `auto` is bfloat16 only where it is fast."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.lm import load_backend
from agents.lm.local.dtypes import has_fast_bfloat16, resolve_dtype
from agents.lm.local.packed_weights import PackedLinear
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import ChatPrompt, Generate, Message, Sampling

CPU = torch.device("cpu")
REQUEST = Generate(
    prompt=ChatPrompt(messages=(Message(role="user", content="one two"),)),
    sampling=Sampling(temperature=0.0, max_new_tokens=4),
    seed=0,
)


class Processor:
    """What torch answers on another processor."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, avx512_bf16: bool, amx: bool, onednn: bool
    ) -> None:
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False
        )
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
        monkeypatch.setattr(
            torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn, raising=False
        )


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "onednn", "expected"),
    [
        (True, False, True, "bfloat16"),  # Zen 4
        (True, True, True, "bfloat16"),  # Sapphire Rapids
        (False, False, True, "float32"),  # AVX-512 without bfloat16: oneDNN takes it, slowly
        (False, False, False, "float32"),  # most laptops
        (True, False, False, "float32"),  # ONEDNN_MAX_CPU_ISA=AVX2 on Zen 4
    ],
)
def test_auto_by_processor(
    monkeypatch: pytest.MonkeyPatch, avx512_bf16: bool, amx: bool, onednn: bool, expected: str
) -> None:
    Processor(monkeypatch, avx512_bf16=avx512_bf16, amx=amx, onednn=onednn)
    assert resolve_dtype("auto", CPU) == expected


def test_a_format_that_is_named_is_used_as_it_is() -> None:
    assert resolve_dtype("float32", CPU) == "float32"
    assert resolve_dtype("bfloat16", torch.device("meta")) == "bfloat16"
    assert not has_fast_bfloat16(torch.device("meta"))


def test_a_torch_without_these_names_is_slower_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert resolve_dtype("auto", CPU) == "float32"


@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
def test_an_ordinary_processor_runs_every_format(
    llama: Path, monkeypatch: pytest.MonkeyPatch, gather: Callable[..., list[Any]], dtype: str
) -> None:
    Processor(monkeypatch, avx512_bf16=False, amx=False, onednn=False)
    assert answer(llama, dtype, gather) == ("bfloat16" if dtype == "bfloat16" else "float32")


def test_an_operator_that_refuses_leaves_the_weights_as_they_are(
    llama: Path, monkeypatch: pytest.MonkeyPatch, gather: Callable[..., list[Any]]
) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError(
            "bf16 path needs the cpu support avx_ne_convert or avx512bw, avx512vl and avx512dq"
        )

    Processor(monkeypatch, avx512_bf16=True, amx=False, onednn=True)
    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse, raising=False)
    assert answer(llama, "bfloat16", gather) == "bfloat16"


def test_an_operator_that_refuses_at_the_product_does_so_too(
    llama: Path, monkeypatch: pytest.MonkeyPatch, gather: Callable[..., list[Any]]
) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("could not create a primitive descriptor")

    Processor(monkeypatch, avx512_bf16=True, amx=False, onednn=True)
    monkeypatch.setattr(
        torch.ops.mkldnn, "_reorder_linear_weight", lambda weight, rows: weight, raising=False
    )
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", refuse, raising=False)
    assert answer(llama, "bfloat16", gather) == "bfloat16"


def answer(folder: Path, dtype: str, gather: Callable[..., list[Any]]) -> str:
    """Asks the tiny model for four tokens, with plain weights; the format it says it used."""
    backend = load_backend(f"hf:{folder}", dtype=dtype, device="cpu")
    try:
        (generated,) = gather(backend, [REQUEST])
        assert generated.new_tokens == 4 or generated.finish == "stop"
        assert isinstance(backend, TransformersBackend)
        modules = backend.local.model.modules()
        assert not any(isinstance(layer, PackedLinear) for layer in modules)
        return str(generated.dtype)
    finally:
        backend.close()


@pytest.mark.skipif(
    sys.platform != "linux", reason="the limits are read by oneDNN and torch on x86-64"
)
def test_with_the_vector_units_of_a_laptop(llama: Path) -> None:
    """A process that is told to use AVX2 alone: oneDNN itself refuses bfloat16 there."""
    code = f"""
from agents.lm import load_backend
from simworld.core.requests import ChatPrompt, Generate, Message, Sampling
for dtype in ("auto", "bfloat16", "float32"):
    backend = load_backend("hf:{llama}", dtype=dtype, device="cpu", cpu_threads=1)
    prompt = ChatPrompt(messages=(Message(role="user", content="one two"),))
    backend.submit(Generate(prompt=prompt, sampling=Sampling(temperature=0.0, max_new_tokens=4), seed=0))
    done = []
    while not done:
        done = backend.poll()
    print(dtype, done[0].completion.dtype)
    backend.close()
"""
    limits = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | limits,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["auto float32", "bfloat16 bfloat16", "float32 float32"]
