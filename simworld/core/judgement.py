"""Rubric and Judgement: what is judged, and one judge's pass over one episode."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from simworld.core.errors import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that is judged, on a range of its own."""

    name: str
    low: float
    high: float
    question: str  # asked about one seat; `{name}` stands for its name
    weight: float = 1.0
    # what holds at the better end, `{name}` as above; paired with `low_statements`
    high_statements: tuple[str, ...] = ()
    low_statements: tuple[str, ...] = ()

    def rescale(self, score: float) -> float:
        """The score as a share of the range, in [0, 1]."""
        return (score - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A named set of dimensions."""

    name: str
    dimensions: tuple[Dimension, ...]

    @property
    def id(self) -> str:
        """`name@` and 48 bits of the SHA-256 of the dimensions."""
        text = json.dumps([asdict(d) for d in self.dimensions], sort_keys=True)
        return f"{self.name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def rubric_from_json(data: Mapping[str, Any]) -> Rubric:
    """The rubric that JSON data holds. Raises KeyError or TypeError where it holds none."""
    dimensions: list[dict[str, Any]] = [
        {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in dimension.items()
        }
        for dimension in data["dimensions"]
    ]
    return Rubric(
        name=data["name"], dimensions=tuple(Dimension(**dimension) for dimension in dimensions)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One seat's score on one dimension."""

    seat: str
    dimension: str
    score: float  # within the dimension's range
    reasoning: str = ""
    # as measured: log-odds, or the answers' probabilities
    raw: Mapping[str, float] = field(default_factory=dict)


class JudgementStatus(StrEnum):
    """Whether the pass gave verdicts."""

    ok = "ok"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One judge's pass over one episode: every verdict, or the failure. Unique by (episode, judge,
    sample).
    """

    episode_id: str
    judge_id: str  # hashes model, method, prompts, rubric
    sample: int  # from 0
    status: JudgementStatus
    rubric_id: str
    verdicts: tuple[Verdict, ...] = ()
    failure: Failure | None = None
    model_id: str = ""
    dtype: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    latency_s: float = 0.0
    reply: str = ""  # what a server's judge wrote, kept also where it could not be read
