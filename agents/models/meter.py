"""Where the time of a local model goes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Counts since the backend was opened."""

    seconds: dict[str, float] = field(default_factory=dict)  # by kind of work
    passes: int = 0  # calls of the model that decoded
    decoded: int = 0  # tokens, one per row and pass
    read: int = 0  # prompt tokens that went through the model in those passes, without the last one of each prompt
    scored: int = 0  # tokens that went through the model for likelihoods

    def add(self, kind: str, begun: float, ended: float) -> None:
        """Adds a stretch of time, in seconds of one clock."""
        self.seconds[kind] = self.seconds.get(kind, 0.0) + ended - begun
