"""Weights in the order in which the processor multiplies them: packed products take about half the
time where rows are few.

The plain weights stay, for whoever needs gradients, so packing takes their memory again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from agents.lm.local.dtypes import onednn_has_bfloat16
from agents.lm.local.memory import default_cache_budget

_log = logging.getLogger(f"simworld.{__name__}")
_TUNED_ROWS = 32  # for which the order is chosen; it serves any number


class PackedLinear(nn.Linear):
    """A linear layer that uses packed weights where no gradient is asked for."""

    packed: Tensor | None

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Linear`."""
        if self.packed is None or torch.is_grad_enabled():
            return super().forward(input)
        return _packed_product(input, self.packed, self.bias)


def pack_linear_layers(model: nn.Module) -> bool:
    """Packs the linear layers of a bfloat16 model on a processor, if a quarter of the free memory
    holds them; whether it did.

    The operators are those that torch's own compiler uses. Where a build of torch lacks them, or
    the processor has no AVX-512 and
    they refuse, nothing is packed: the plain products of torch work everywhere.
    """
    layers = [m for m in model.modules() if type(m) is nn.Linear]
    if not layers or any(
        m.weight.dtype is not torch.bfloat16 or m.weight.device.type != "cpu" for m in layers
    ):
        return False
    if not onednn_has_bfloat16() or sum(m.weight.nbytes for m in layers) > default_cache_budget(
        torch.device("cpu")
    ):
        return False
    try:
        with torch.no_grad():
            weights = [_pack_weight(layer) for layer in layers]
    # what torch raises where it refuses, and where it has no such operator
    except (RuntimeError, AttributeError) as error:
        _log.info("weights stay as they are: %s", error)
        return False
    for layer, packed in zip(layers, weights, strict=True):
        layer.__class__ = PackedLinear
        layer.__dict__["packed"] = packed
    return True


def _pack_weight(layer: nn.Linear) -> Tensor:
    """A layer's weights in oneDNN's order, after a product with them has worked. Raises
    RuntimeError where they cannot be used.
    """
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _TUNED_ROWS)
    _packed_product(layer.weight.new_zeros(1, layer.in_features), packed, layer.bias)
    return packed


def _packed_product(rows: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return product


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
