"""Judging with a server: structured output, the reason before the score, replies checked here and
asked again.

Sans-I/O: a generator that yields Generate requests and is sent their completions.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from scenarios.rubrics import fill_slots
from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
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
from simworld.judging.logprob_judging import (
    Judging,
    default_verdict,
    lacks_private_text,
    slot_values,
)
from simworld.judging.prompts import JUDGE, REASK, SYSTEM
from simworld.judging.transcript import JudgeTranscript
from simworld.judging.verdict_parsing import UnusableReply, is_whole, read_reply, schema_for

SEEDS = 2**31  # servers take signed 32-bit seeds
SHOWN_AGAIN = 8_000  # characters of a reply that cannot be used, as it is shown to the model


def judge_server(
    reading: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
    sample: int = 0,
) -> Judging:
    """Verdicts of a server's replies, one dimension per call or with `spec.one_call` all in one.

    A reply that cannot be used is shown to the model with what is wrong, up to `spec.reasks` times;
    then the judgement fails.
    """
    values = {seat: slot_values(reading, seat) for seat in seats}
    wanted = {
        d.name: [seat for seat in seats if not lacks_private_text(d, values[seat])]
        for d in rubric.dimensions
    }
    asked = [d for d in rubric.dimensions if wanted[d.name]]
    found: dict[tuple[str, str], Verdict] = {}
    for call in [asked] if spec.one_call and asked else [[d] for d in asked]:
        keys = {reading.names[seat]: [d for d in call if seat in wanted[d.name]] for seat in seats}
        keys = {name: dimensions for name, dimensions in keys.items() if dimensions}
        verdicts = yield from _ask(reading, spec, call, keys, values, thread, sample)
        if isinstance(verdicts, Failure):
            return verdicts
        found |= verdicts
    return tuple(
        found[seat, d.name] if seat in wanted[d.name] else default_verdict(seat, d)
        for seat in seats
        for d in rubric.dimensions
    )


def _ask(
    reading: JudgeTranscript,
    spec: JudgeSpec,
    call: Sequence[Dimension],
    keys: Mapping[str, Sequence[Dimension]],
    values: Mapping[str, Mapping[str, str]],
    thread: str,
    sample: int,
) -> Generator[Request, Completion, dict[tuple[str, str], Verdict] | Failure]:
    schema = schema_for(keys)
    seats = {name: seat for seat, name in reading.names.items()}
    messages = [
        Message(role="system", content=SYSTEM),
        Message(
            role="user",
            content=_prompt(
                reading, spec, call, keys, {seats[name]: values[seats[name]] for name in keys}
            ),
        ),
    ]
    for attempt in range(spec.reasks + 1):
        seed = derive_seed(thread, "judge", call[0].name, sample, attempt) % SEEDS
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
        try:
            scores = read_reply(
                completion.text,
                keys,
                cut=completion.finish == "length",
                thought=completion.reasoning,
            )
        except UnusableReply as error:
            problem = error
            messages = [
                *messages[:2],
                Message(role="assistant", content=completion.text.strip()[:SHOWN_AGAIN] or "{}"),
                Message(role="user", content=REASK.format(error=problem)),
            ]
            continue
        return {
            (seats[name], dimension): Verdict(
                seat=seats[name],
                dimension=dimension,
                score=score,
                reasoning=reason,
                raw={"asks": attempt + 1},
            )
            for (name, dimension), (score, reason) in scores.items()
        }
    asks = f"{spec.reasks + 1} replies" if spec.reasks else "the reply"
    return Failure(
        boundary="judge",
        kind=problem.kind,
        message=f"{asks} could not be used; the last: {problem}",
    )


def _prompt(
    reading: JudgeTranscript,
    spec: JudgeSpec,
    call: Sequence[Dimension],
    keys: Mapping[str, Sequence[Dimension]],
    values: Mapping[str, Mapping[str, str]],
) -> str:
    questions = []
    for d in call:
        asked = [v for seat, v in values.items() if d in keys[reading.names[seat]]]
        texts = list(dict.fromkeys(fill_slots(d.question, v) for v in asked))
        span = f"{d.low:g} to {d.high:g}"
        questions.append("\n".join([f"{d.name} ({span}):", *(f"- {text}" for text in texts)]))
    form: dict[str, Any] = {
        name: {d.name: {"reason": "…", "score": "…"} for d in dimensions}
        for name, dimensions in keys.items()
    }
    whole = all(is_whole(d) for d in call)
    return JUDGE.format(
        head=reading.head(spec.head),
        dialogue=reading.shown,
        end=f"{reading.end}\n" if reading.end else "",
        names=", ".join(keys),
        questions="\n\n".join(questions),
        each=" and dimension" if len(call) > 1 else "",
        number="a whole number of the range" if whole else "a number of the range",
        form=json.dumps(form, ensure_ascii=False, indent=1),
    )
