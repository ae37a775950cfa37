"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")


def available_cores(group: Path = _GROUP) -> int:
    """Cores that the system lets this process use: its affinity, and the quota of its control group
    where it shows one.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, int(quota) // int(period))
    except (OSError, ValueError):
        pass  # no such file, or in another form: no quota
    return max(1, cores)
