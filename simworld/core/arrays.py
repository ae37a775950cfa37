"""Types of arrays, for signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
EmbedTexts = Callable[[Sequence[str]], NDArray[np.floating]]  # n texts → (n, d)
