"""Weights in the order in which the processor multiplies them: packed products take about half the time where rows are few.

The plain weights stay, for whoever needs gradients, so packing takes their memory again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from agents.models.memory import default_budget

_ROWS = 32  # for which the order is chosen; it serves any number


class PackedLinear(nn.Linear):
    """A linear layer that uses packed weights where no gradient is asked for."""

    packed: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Linear`."""
        if self.packed is None or torch.is_grad_enabled():
            return super().forward(input)
        found: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, "none", [], "")
        return found


def pack(model: nn.Module) -> bool:
    """Packs the linear layers of a bfloat16 model on a processor, if a quarter of the free memory holds them; whether it did.

    The operators are those that torch's own compiler uses; where a build of torch lacks them, nothing is packed.
    """
    layers = [m for m in model.modules() if type(m) is nn.Linear]
    if not layers or any(m.weight.dtype is not torch.bfloat16 or m.weight.device.type != "cpu" for m in layers):
        return False
    if sum(m.weight.nbytes for m in layers) > default_budget(torch.device("cpu")):
        return False
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return False
    with torch.no_grad():
        for layer in layers:
            packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _ROWS)
            layer.__class__ = PackedLinear
            layer.__dict__["packed"] = packed
    return True


@contextmanager
def unpacked(model: nn.Module) -> Iterator[None]:
    """The model with plain weights alone."""
    layers: list[Any] = [m for m in model.modules() if isinstance(m, PackedLinear)]
    before = [layer.packed for layer in layers]
    for layer in layers:
        layer.__dict__["packed"] = None
    try:
        yield
    finally:
        for layer, packed in zip(layers, before, strict=True):
            layer.__dict__["packed"] = packed
