"""The number format of a local model's weights: which one `auto` means on a device, and whether it
is fast there.
"""

from __future__ import annotations

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def default_device() -> torch.device:
    """A GPU if torch finds one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve_dtype(dtype: str, device: torch.device) -> str:
    """The format that weights get: for `auto` bfloat16 where it is fast on the device, else
    float32.
    """
    if dtype != "auto":
        return dtype
    return "bfloat16" if has_fast_bfloat16(device) else "float32"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware; elsewhere it is slower than
    float32.

    On x86-64 that is AVX512-BF16 or AMX. On Arm the answer is no, for it was never measured there.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for this; without the names the answer is no, which is only
    # slower
    asked = (
        getattr(torch.cpu, name, None)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return (
        device.type == "cpu"
        and any(bool(ask()) for ask in asked if ask is not None)
        and onednn_has_bfloat16()
    )


def onednn_has_bfloat16() -> bool:
    """Whether oneDNN, which multiplies for torch, takes bfloat16 on this processor (or is told not
    to by ONEDNN_MAX_CPU_ISA).
    """
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return ask is not None and bool(ask())
