"""How far two sequences agree: what a cache of one is worth to the other."""

from __future__ import annotations

from collections.abc import Sequence


def common_prefix_length(a: Sequence[int] | str, b: Sequence[int] | str) -> int:
    """How many leading elements are equal. By halves, for slices are compared far faster than
    elements one by one.
    """
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
