"""What a judge is asked about one seat: its slots, and the verdict where nothing can be asked."""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.rubrics import slots_in
from simworld.core.judgement import Dimension, Verdict
from simworld.judging.transcript import JudgeTranscript


def slot_values(transcript: JudgeTranscript, seat: str) -> dict[str, str]:
    """What the slots of questions and statements stand for, for one seat."""
    judged_seat = transcript.scenario.seat(seat)
    return {
        "name": transcript.names[seat],
        "goal": _clause(judged_seat.goal),
        "knows": _clause(judged_seat.knows),
        "secret": _clause(judged_seat.secret),
    }


def lacks_private_text(dimension: Dimension, values: Mapping[str, str]) -> bool:
    """Whether the dimension asks about a private text that the seat does not have."""
    texts = (dimension.question, *dimension.high_statements, *dimension.low_statements)
    return any(not values.get(slot) for text in texts for slot in slots_in(text))


def default_verdict(seat: str, dimension: Dimension) -> Verdict:
    """The verdict where there is nothing to judge: the score of the range nearest to zero."""
    score, raw = min(max(0.0, dimension.low), dimension.high), {"asked": 0.0}
    reasoning = "nothing to judge"
    return Verdict(seat=seat, dimension=dimension.name, score=score, reasoning=reasoning, raw=raw)


def _clause(text: str) -> str:
    return " ".join(text.split()).rstrip(".。")
