"""How long the demo takes on this machine, told before it begins: from how fast the machine
multiplies just now.
"""

from __future__ import annotations

import time

GFLOP_PER_CONVERSATION = (
    # multiplications and additions, in 10⁹, that take as long as a conversation of the demo and its
    # judgement
    1200.0
)
STARTUP_S = 10.0  # loading the model twice, in both number formats
_MATRIX_SIZES = (512, 576, 1536)  # of one product, as in the built-in model
_PROBE_S = 0.3


def estimate_seconds(conversations: int, cpu_threads: int | None) -> float:
    """Seconds for playing and judging so many conversations, as long as other programs take what
    they take now.
    """
    return STARTUP_S + conversations * GFLOP_PER_CONVERSATION / measure_gflops(cpu_threads)


def measure_gflops(cpu_threads: int | None) -> float:
    """10⁹ operations a second in float32, by wall time."""
    import torch

    from agents.lm.local.cpu_cores import available_cores

    threads_before = torch.get_num_threads()
    # as the model will have them
    torch.set_num_threads(cpu_threads or min(threads_before, available_cores()))
    rows, inner, columns = _MATRIX_SIZES
    left, right = torch.ones(rows, inner), torch.ones(inner, columns)
    left @ right  # the first one sets up
    products, start = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - start) < _PROBE_S:
        left @ right
        products += 1
    torch.set_num_threads(threads_before)
    return products * 2e-9 * rows * inner * columns / elapsed_s
