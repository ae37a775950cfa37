"""How much memory caches may take."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_BUDGET_DIVISOR = 4  # a quarter of what is free
_FALLBACK_BUDGET = 2**30
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def default_cache_budget(device: torch.device) -> int:
    """A quarter of the device's free memory, in bytes; a gibibyte where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free) // _BUDGET_DIVISOR
    return free_memory() // _BUDGET_DIVISOR


def free_memory(group: Path = _CONTROL_GROUP) -> int:
    """Bytes that this process may still take: free in the system, and within its control group's
    limit where it shows one.
    """
    try:
        limit, used = (
            (group / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
        return min(free_system_memory(), max(0, int(limit) - int(used)))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return free_system_memory()


def free_system_memory() -> int:
    """Bytes that the system could still give; half of what it has where it does not say."""
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
        return _FALLBACK_BUDGET * _BUDGET_DIVISOR
