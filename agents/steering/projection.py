"""The two shapes an action space can have."""

from __future__ import annotations

from typing import Literal

Projection = Literal["sphere", "box"]
