"""How a model marks its thoughts, as agent and judge files say it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReasoningMarks(BaseModel):
    """What a model writes around its thoughts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open: str = Field(min_length=1, description="Before a thought.")
    close: str = Field(min_length=1, description="After it.")


Reasoning = ReasoningMarks | Literal["on", "off"]
"""Marks of a model's own; `on`: it thinks before each reply, in the usual marks; `off`: its text
holds no thoughts."""
