"""Where the time of a local model goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from simworld.core.profile import ProfilePart


@dataclass(slots=True)
class Meter:
    """Counts since the backend was opened."""

    seconds: dict[str, float] = field(default_factory=dict)  # by kind of work
    passes: int = 0  # calls of the model that decoded
    decoded_tokens: int = 0  # tokens, one per row and pass
    # prompt tokens that went through the model in those passes, without the last one of each prompt
    prefill_tokens: int = 0
    prefill_s: float = 0.0  # of the seconds of `forward`, those that went into reading prompts
    tokenised_tokens: int = 0  # tokens of prompts and continuations made from text
    scored_tokens: int = 0  # tokens that went through the model for likelihoods

    def add_time(self, kind: str, started: float, ended: float) -> None:
        """Adds a stretch of time, in seconds of one clock."""
        self.seconds[kind] = self.seconds.get(kind, 0.0) + ended - started

    def add_pass(
        self, started: float, ended: float, *, decoded_tokens: int, prefill_tokens: int
    ) -> None:
        """Adds a pass of the batch and its time, which is shared out by tokens: reading and
        decoding go through the model together.

        So a pass that reads nothing is all decoding. Where both meet, decoding comes off a little
        too cheaply: its tokens look back on longer caches than those of a prompt that begins.
        """
        self.passes += 1
        self.decoded_tokens += decoded_tokens
        self.prefill_tokens += prefill_tokens
        self.prefill_s += (
            (ended - started) * prefill_tokens / max(1, decoded_tokens + prefill_tokens)
        )
        self.add_time("forward", started, ended)

    def profile_parts(self) -> dict[str, ProfilePart]:
        """Where the time went, for people; work on rows between two passes is in none of them.

        A GPU is waited for when tokens are drawn, and not before: there `sampling` holds part of
        the passes.
        """
        seconds = dict(self.seconds)
        forward = seconds.pop("forward", 0.0)
        return {
            "prefill": ProfilePart(seconds=self.prefill_s, tokens=self.prefill_tokens),
            "decode": ProfilePart(seconds=forward - self.prefill_s, tokens=self.decoded_tokens),
            "sampling": ProfilePart(seconds=seconds.pop("sample", 0.0), tokens=self.decoded_tokens),
            "tokenising": ProfilePart(
                seconds=seconds.pop("tokenise", 0.0), tokens=self.tokenised_tokens
            ),
            "judging": ProfilePart(seconds=seconds.pop("score", 0.0), tokens=self.scored_tokens),
        }
