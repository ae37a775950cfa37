"""Where the time of a local model goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from simworld.core.profile import ProfilePart


@dataclass(slots=True)
class Meter:
    """Counts since the backend was opened."""

    seconds: dict[str, float] = field(default_factory=dict)  # by kind of work
    passes: int = 0  # calls of the model that decoded
    decoded: int = 0  # tokens, one per row and pass
    # prompt tokens that went through the model in those passes, without the last one of each prompt
    read: int = 0
    read_s: float = 0.0  # of the seconds of `forward`, those that went into reading prompts
    tokenised: int = 0  # tokens of prompts and continuations made from text
    scored: int = 0  # tokens that went through the model for likelihoods

    def add(self, kind: str, begun: float, ended: float) -> None:
        """Adds a stretch of time, in seconds of one clock."""
        self.seconds[kind] = self.seconds.get(kind, 0.0) + ended - begun

    def add_pass(self, begun: float, ended: float, *, decoded: int, read: int) -> None:
        """Adds a pass of the batch and its time, which is shared out by tokens: reading and
        decoding go through the model together.

        So a pass that reads nothing is all decoding. Where both meet, decoding comes off a little
        too cheaply: its tokens look back on longer caches than those of a prompt that begins.
        """
        self.passes += 1
        self.decoded += decoded
        self.read += read
        self.read_s += (ended - begun) * read / max(1, decoded + read)
        self.add("forward", begun, ended)

    def parts(self) -> dict[str, ProfilePart]:
        """Where the time went, for people; work on rows between two passes is in none of them.

        A GPU is waited for when tokens are drawn, and not before: there `sampling` holds part of
        the passes.
        """
        seconds = dict(self.seconds)
        forward = seconds.pop("forward", 0.0)
        return {
            "prefill": ProfilePart(seconds=self.read_s, tokens=self.read),
            "decode": ProfilePart(seconds=forward - self.read_s, tokens=self.decoded),
            "sampling": ProfilePart(seconds=seconds.pop("sample", 0.0), tokens=self.decoded),
            "tokenising": ProfilePart(seconds=seconds.pop("tokenise", 0.0), tokens=self.tokenised),
            "judging": ProfilePart(seconds=seconds.pop("score", 0.0), tokens=self.scored),
        }
