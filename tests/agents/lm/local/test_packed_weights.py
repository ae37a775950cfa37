"""Packed weights multiply as the plain ones do, and step aside for gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from agents.lm.local.dtypes import onednn_has_bfloat16
from agents.lm.local.packed_weights import PackedLinear, pack_linear_layers, unpacked

can_pack = pytest.mark.skipif(
    not onednn_has_bfloat16() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this processor, or this build of torch, has no packed products",
)


def small(dtype: torch.dtype = torch.bfloat16) -> nn.Sequential:
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 96, bias=False), nn.SiLU(), nn.Linear(96, 32)).to(dtype)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 8)
    return model


@can_pack
@pytest.mark.parametrize("rows", [1, 5, 32, 100])
def test_products_agree_up_to_the_rounding_of_bfloat16(rows: int) -> None:
    model = small()
    assert pack_linear_layers(model)
    assert isinstance(model[0], PackedLinear)
    given = torch.randn(rows, 64, generator=torch.Generator().manual_seed(2)).bfloat16()
    with torch.inference_mode():
        packed = model(given)
        with unpacked(model):
            plain = model(given)
    torch.testing.assert_close(packed.float(), plain.float(), rtol=2**-7, atol=2**-7)
    assert packed.abs().max() > 0.1


@can_pack
def test_gradients_come_from_the_plain_weights() -> None:
    model = small()
    given = torch.ones(2, 64, dtype=torch.bfloat16, requires_grad=True)
    expected = torch.autograd.grad(model(given).sum(), given)[0]
    assert pack_linear_layers(model)
    torch.testing.assert_close(torch.autograd.grad(model(given).sum(), given)[0], expected)


def test_float32_is_left_alone() -> None:
    model = small(torch.float32)
    assert not pack_linear_layers(model)
    assert type(model[0]) is nn.Linear
