"""What a decoding step costs in each number format on this processor: the products with the built-in model's weights alone.

    python -m bench.number_formats --json
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python -m bench.number_formats --json   # as on a processor without AVX-512

The formats take turns in each round, so that other programs disturb them alike. Milliseconds per step, one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from torch import nn

from agents.lm.local.dtypes import DTYPES, default_device, resolve_dtype
from agents.lm.local.local_model import LocalModel, load_local_model
from agents.lm.local.packed_weights import PackedLinear
from agents.lm.local.weights import builtin_weights

MODEL = "smollm2-135m-instruct"


def main() -> None:
    """Prints one line: for each format and number of rows the median, least and most milliseconds
    of a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    models = {
        dtype: load_local_model(builtin_weights(MODEL), dtype=dtype, device="cpu", cpu_threads=1)
        for dtype in DTYPES
    }
    ms_by_format: dict[str, list[float]] = {}
    for _ in range(args.rounds):
        for rows in args.rows:
            for dtype, local in models.items():
                ms_by_format.setdefault(f"{dtype}-{rows}", []).append(1000 * step_s(local, rows))
    line = {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "auto": resolve_dtype("auto", default_device()),
        "packed": any(isinstance(m, PackedLinear) for m in models["bfloat16"].model.modules()),
        "rounds": args.rounds,
        "ms": {
            key: [round(f(values), 1) for f in (statistics.median, min, max)]
            for key, values in ms_by_format.items()
        },
    }
    if not args.json:
        print("median, least and most milliseconds of a step, by format and rows")
    print(json.dumps(line))


def step_s(local: LocalModel, rows: int) -> float:
    """Seconds for one product with each of the model's weights."""
    layers = [module for module in local.model.modules() if isinstance(module, nn.Linear)]
    inputs = {
        layer.in_features: torch.ones(rows, layer.in_features, dtype=DTYPES[local.dtype])
        for layer in layers
    }
    with torch.inference_mode():
        layers[0](inputs[layers[0].in_features])
        start = time.perf_counter()
        for layer in layers:
            layer(inputs[layer.in_features])
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
