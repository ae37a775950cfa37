"""How much memory caches may take."""

from __future__ import annotations

import os

import torch

_SHARE = 4  # a quarter of what is free
_FALLBACK = 2**30


def default_budget(device: torch.device) -> int:
    """A quarter of the device's free memory, in bytes; a gibibyte where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free) // _SHARE
    return _free() // _SHARE


def _free() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (OSError, ValueError, AttributeError):
        return _FALLBACK * _SHARE
