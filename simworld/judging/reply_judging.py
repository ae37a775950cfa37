"""Judging by a server's replies: JSON with reasons before scores, checked here and asked again.

Sans-I/O: a generator that yields Generate requests and is sent their completions.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from scenarios.rubrics import fill_slots
from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.protocols import JudgementGenerator
from simworld.core.requests import (
    ChatPrompt,
    Completion,
    Generate,
    Generated,
    Message,
    Request,
    Sampling,
)
from simworld.core.seeding import derive_seed
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.prompts import JUDGE_PROMPT, REASK_PROMPT, SYSTEM_PROMPT
from simworld.judging.seat_questions import default_verdict, lacks_private_text, slot_values
from simworld.judging.transcript import JudgeTranscript
from simworld.judging.verdict_parsing import (
    ParsedScores,
    UnusableReply,
    find_missing_reason,
    has_whole_scores,
    parse_verdicts,
    verdict_schema,
)

SEED_COUNT = 2**31  # servers take signed 32-bit seeds
MAX_SHOWN_REPLY = 8_000  # characters of a reply that cannot be used, as it is shown to the model


def judge_by_replies(
    transcript: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
    sample: int = 0,
) -> JudgementGenerator:
    """Verdicts of a server's replies, one dimension per call or with `spec.one_call` all in one.

    A reply that cannot be used is shown to the model with what is wrong, up to `spec.reasks` times;
    then the judgement fails.
    """
    slots = {seat: slot_values(transcript, seat) for seat in seats}
    seats_of = {
        d.name: [seat for seat in seats if not lacks_private_text(d, slots[seat])]
        for d in rubric.dimensions
    }
    askable = [d for d in rubric.dimensions if seats_of[d.name]]
    all_verdicts: dict[tuple[str, str], Verdict] = {}
    for dimension_group in [askable] if spec.one_call and askable else [[d] for d in askable]:
        names = transcript.names
        asked = {
            names[seat]: [d for d in dimension_group if seat in seats_of[d.name]] for seat in seats
        }
        asked = {name: dimensions for name, dimensions in asked.items() if dimensions}
        verdicts = yield from _ask_call(
            transcript, spec, dimension_group, asked, slots, thread, sample
        )
        if isinstance(verdicts, Failure):
            return verdicts
        all_verdicts |= verdicts
    return tuple(
        all_verdicts[seat, d.name] if seat in seats_of[d.name] else default_verdict(seat, d)
        for seat in seats
        for d in rubric.dimensions
    )


def _ask_call(
    transcript: JudgeTranscript,
    spec: JudgeSpec,
    dimensions: Sequence[Dimension],
    asked: Mapping[str, Sequence[Dimension]],
    slots: Mapping[str, Mapping[str, str]],
    thread: str,
    sample: int,
) -> Generator[Request, Completion, dict[tuple[str, str], Verdict] | Failure]:
    schema = verdict_schema(asked)
    seats = {name: seat for seat, name in transcript.names.items()}
    asked_slots = {seats[name]: slots[seats[name]] for name in asked}
    question = _question_prompt(transcript, spec, dimensions, asked, asked_slots)
    messages = [
        Message(role="system", content=SYSTEM_PROMPT),
        Message(role="user", content=question),
    ]
    scores: ParsedScores | None = None  # of the last reply that had some
    for attempt in range(spec.reasks + 1):
        seed = derive_seed(thread, "judge", dimensions[0].name, sample, attempt) % SEED_COUNT
        completion = yield Generate(
            prompt=ChatPrompt(messages=tuple(messages)),
            sampling=Sampling(temperature=spec.temperature, max_new_tokens=spec.max_new_tokens),
            seed=seed,
            thread=thread,
            json_schema=schema,
        )
        if isinstance(completion, Failure):
            return completion
        if not isinstance(completion, Generated):
            return Failure(boundary="judge", kind="unexpected", message="the backend gave no text")
        problem: UnusableReply | None
        try:
            scores = parse_verdicts(
                completion.text,
                asked,
                was_cut=completion.finish == "length",
                thought=completion.reasoning,
            )
            problem = find_missing_reason(scores)
        except UnusableReply as error:
            problem = error
        if problem is None:
            break
        messages = [
            *messages[:2],
            Message(role="assistant", content=completion.text.strip()[:MAX_SHOWN_REPLY] or "{}"),
            Message(role="user", content=REASK_PROMPT.format(error=problem)),
        ]
    if scores is None:  # one that lacks nothing but its reason is better than none
        assert problem is not None  # for at least one reply was asked for
        asks = f"{spec.reasks + 1} replies" if spec.reasks else "the reply"
        message = f"{asks} could not be used; the last: {problem}"
        return Failure(boundary="judge", kind=problem.kind, message=message)
    raw = {"asks": attempt + 1}
    return {
        (seats[name], dimension): Verdict(
            seat=seats[name], dimension=dimension, score=score, reasoning=reason, raw=raw
        )
        for (name, dimension), (score, reason) in scores.items()
    }


def _question_prompt(
    transcript: JudgeTranscript,
    spec: JudgeSpec,
    dimensions: Sequence[Dimension],
    asked: Mapping[str, Sequence[Dimension]],
    slots: Mapping[str, Mapping[str, str]],
) -> str:
    questions = []
    for d in dimensions:
        seat_slots = [v for seat, v in slots.items() if d in asked[transcript.names[seat]]]
        texts = list(dict.fromkeys(fill_slots(d.question, v) for v in seat_slots))
        span = f"{d.low:g} to {d.high:g}"
        questions.append("\n".join([f"{d.name} ({span}):", *(f"- {text}" for text in texts)]))
    reply_form: dict[str, Any] = {
        name: {d.name: {"reason": "…", "score": "…"} for d in dimensions}
        for name, dimensions in asked.items()
    }
    whole_numbers = all(has_whole_scores(d) for d in dimensions)
    return JUDGE_PROMPT.format(
        head=transcript.context(spec.head),
        dialogue=transcript.dialogue_or_silence,
        end=f"{transcript.ending_note}\n" if transcript.ending_note else "",
        names=", ".join(asked),
        questions="\n\n".join(questions),
        each=" and dimension" if len(dimensions) > 1 else "",
        number="a whole number of the range" if whole_numbers else "a number of the range",
        form=json.dumps(reply_form, ensure_ascii=False, indent=1),
    )
