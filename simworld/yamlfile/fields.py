"""Fields that several kinds of file have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simworld.core.episode import MAX_REPEATS

Count = Annotated[int, Field(ge=1)]
Repeats = Annotated[int, Field(ge=1, le=MAX_REPEATS)]
SeatChoice = Literal["both", "first", "second"]
