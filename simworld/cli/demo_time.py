"""How long the demo takes on this machine, told before it begins: from how fast the machine
multiplies just now.
"""

from __future__ import annotations

import time

GFLOP = (
    # multiplications and additions, in 10⁹, that take as long as a conversation of the demo and its
    # judgement
    1200.0
)
STARTING_S = 10.0  # loading the model twice, in both number formats
_SIZES = (512, 576, 1536)  # of one product, as in the built-in model
_PROBE_S = 0.3


def seconds_for(conversations: int, threads: int | None) -> float:
    """Seconds for playing and judging so many conversations, as long as other programs take what
    they take now.
    """
    return STARTING_S + conversations * GFLOP / gflops(threads)


def gflops(threads: int | None) -> float:
    """10⁹ operations a second in float32, by wall time."""
    import torch

    from agents.lm.local.cpu_cores import available_cores

    before = torch.get_num_threads()
    torch.set_num_threads(threads or min(before, available_cores()))  # as the model will have them
    rows, inner, columns = _SIZES
    left, right = torch.ones(rows, inner), torch.ones(inner, columns)
    left @ right  # the first one sets up
    count, begun = 0, time.perf_counter()
    while (gone := time.perf_counter() - begun) < _PROBE_S:
        left @ right
        count += 1
    torch.set_num_threads(before)
    return count * 2e-9 * rows * inner * columns / gone
