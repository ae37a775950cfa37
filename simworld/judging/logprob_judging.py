"""Judging with a local model's log-probabilities: opposed statements, or the expectation over
answer tokens. No text is sampled.

Sans-I/O: each function is a generator that yields Score requests and is sent their completions.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence

from scenarios.rubrics import fill_slots, slots_in
from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.requests import (
    ChatPrompt,
    Completion,
    Message,
    Prompt,
    Request,
    Score,
    Scored,
    TextPrompt,
)
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.prompts import SCORE_QUESTION, TRUE_QUESTION
from simworld.judging.transcript import JudgeTranscript

Judging = Generator[Request, Completion, "tuple[Verdict, ...] | Failure"]

YES, NO = (" Yes", " yes"), (" No", " no")


def judge_statements(
    reading: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
) -> Judging:
    """Verdicts from the log-odds between opposed statements, read after the dialogue.

    All statements of all seats and dimensions follow one shared prompt, so the dialogue is read
    once. The log-odds of the wordings are summed; with `spec.prior` those of the same statements
    without the dialogue are taken off.
    """
    asked = {
        (seat, d.name): [
            (fill_slots(high, values), fill_slots(low, values))
            for high, low in zip(d.high_statements, d.low_statements, strict=True)
        ]
        for seat in seats
        for values in [slot_values(reading, seat)]
        for d in rubric.dimensions
        if not lacks_private_text(d, values)
    }
    if bare := [d.name for d in rubric.dimensions if not d.high_statements]:
        return Failure(
            boundary="judge",
            kind="no-statements",
            message=f"the rubric {rubric.name} has no statements for {', '.join(bare)}",
        )
    texts = tuple(
        dict.fromkeys(f" {text}" for pairs in asked.values() for pair in pairs for text in pair)
    )
    after: Mapping[str, float] = {}
    before: Mapping[str, float] = {}
    if texts:
        for dialogue in (True, False) if spec.prior else (True,):
            prompt = TextPrompt(
                text="\n\n".join(
                    part for part in (_body(reading, spec, dialogue=dialogue), spec.ask) if part
                )
            )
            scored = yield Score(
                prompt=prompt, continuations=texts, thread=thread if dialogue else ""
            )
            found = logprobs_of(scored, texts)
            if isinstance(found, Failure):
                return found
            if dialogue:
                after = found
            else:
                before = found
    verdicts = []
    for seat in seats:
        for d in rubric.dimensions:
            pairs = asked.get((seat, d.name))
            if pairs is None:
                verdicts.append(default_verdict(seat, d))
                continue
            raw = {f"log_odds_{i}": _difference(after, pair) for i, pair in enumerate(pairs)}
            x = sum(raw.values())
            if spec.prior:
                raw["prior"] = sum(_difference(before, pair) for pair in pairs)
                x -= raw["prior"]
            verdicts.append(
                Verdict(
                    seat=seat,
                    dimension=d.name,
                    score=_mapped(x, d, spec),
                    raw={"log_odds": x, **raw},
                )
            )
    return tuple(verdicts)


def judge_answers(
    reading: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
) -> Judging:
    """Verdicts from the expectation over answer tokens: digits 0–9 mapped linearly to the range, or
    yes against no.

    One request per seat and dimension (yes/no: and wording); their prompts begin alike, for a
    backend with a cache per thread.
    """
    body = _body(reading, spec, dialogue=True)
    verdicts = []
    for seat in seats:
        values = slot_values(reading, seat)
        for d in rubric.dimensions:
            if lacks_private_text(d, values):
                verdicts.append(default_verdict(seat, d))
                continue
            if spec.answers == "digits":
                question = fill_slots(d.question, values)
                scored = yield from _answers(
                    SCORE_QUESTION.format(body=body, question=question), _DIGITS, spec, thread
                )
                if isinstance(scored, Failure):
                    return scored
                verdicts.append(_from_digits(seat, d, scored))
                continue
            if not d.high_statements:
                message = f"the rubric {rubric.name} has no statements for {d.name}"
                return Failure(boundary="judge", kind="no-statements", message=message)
            raw: dict[str, float] = {}
            for i, statement in enumerate(d.high_statements):
                prompt = TRUE_QUESTION.format(body=body, statement=fill_slots(statement, values))
                scored = yield from _answers(prompt, YES + NO, spec, thread)
                if isinstance(scored, Failure):
                    return scored
                raw[f"log_odds_{i}"] = _logsumexp(scored[a] for a in YES) - _logsumexp(
                    scored[a] for a in NO
                )
                raw[f"answer_mass_{i}"] = math.exp(_logsumexp(scored.values()))
            x = sum(value for key, value in raw.items() if key.startswith("log_odds")) / len(
                d.high_statements
            )
            verdicts.append(
                Verdict(
                    seat=seat,
                    dimension=d.name,
                    score=_mapped(x, d, spec),
                    raw={"log_odds": x, **raw},
                )
            )
    return tuple(verdicts)


def slot_values(reading: JudgeTranscript, seat: str) -> dict[str, str]:
    """What the slots of questions and statements stand for, for one seat."""
    s = reading.scenario.seat(seat)
    return {
        "name": reading.names[seat],
        "goal": _clause(s.goal),
        "knows": _clause(s.knows),
        "secret": _clause(s.secret),
    }


def lacks_private_text(dimension: Dimension, values: Mapping[str, str]) -> bool:
    """Whether the dimension asks about a private text that the seat does not have."""
    texts = (dimension.question, *dimension.high_statements, *dimension.low_statements)
    return any(not values.get(slot) for text in texts for slot in slots_in(text))


def default_verdict(seat: str, dimension: Dimension) -> Verdict:
    """The verdict where there is nothing to judge (a seat without a secret keeps it): the value of
    the range nearest to zero.
    """
    score = min(max(0.0, dimension.low), dimension.high)
    return Verdict(
        seat=seat,
        dimension=dimension.name,
        score=score,
        reasoning="nothing to judge",
        raw={"asked": 0.0},
    )


_DIGITS = tuple(f" {digit}" for digit in range(10))


def _answers(
    text: str, answers: tuple[str, ...], spec: JudgeSpec, thread: str
) -> Generator[Request, Completion, Mapping[str, float] | Failure]:
    if spec.chat:  # a reply begins without a space
        prompt: Prompt = ChatPrompt(
            messages=(Message(role="user", content=text.removesuffix("\nAnswer:")),)
        )
        bare = tuple(answer.strip() for answer in answers)
        scored = logprobs_of((yield Score(prompt=prompt, continuations=bare, thread=thread)), bare)
        return (
            scored
            if isinstance(scored, Failure)
            else dict(zip(answers, scored.values(), strict=True))
        )
    return logprobs_of(
        (yield Score(prompt=TextPrompt(text=text), continuations=answers, thread=thread)), answers
    )


def _from_digits(seat: str, d: Dimension, logprobs: Mapping[str, float]) -> Verdict:
    total = _logsumexp(logprobs.values())
    shares = [math.exp(value - total) for value in logprobs.values()]
    mean = sum(share * digit for digit, share in enumerate(shares))
    raw = {"digit_mean": mean, "digit_mass": math.exp(total)} | {
        f"p{digit}": share for digit, share in enumerate(shares)
    }
    return Verdict(seat=seat, dimension=d.name, score=d.low + (d.high - d.low) * mean / 9, raw=raw)


def _body(reading: JudgeTranscript, spec: JudgeSpec, *, dialogue: bool) -> str:
    parts = [reading.head(spec.head)]
    if dialogue:
        parts.append(reading.shown)
    return "\n\n".join(part for part in parts if part)


def logprobs_of(completion: Completion, texts: Sequence[str]) -> Mapping[str, float] | Failure:
    """Text → log-probability of the continuations that were scored, or the failure."""
    if isinstance(completion, Failure):
        return completion
    if not isinstance(completion, Scored) or len(completion.logprobs) != len(texts):
        return Failure(
            boundary="judge",
            kind="unexpected",
            message="the backend gave no log-probability per continuation",
        )
    if not all(math.isfinite(value) for value in completion.logprobs):
        return Failure(
            boundary="judge",
            kind="not-finite",
            message="the model gave a log-probability that is not finite",
        )
    return dict(zip(texts, completion.logprobs, strict=True))


def _difference(logprobs: Mapping[str, float], pair: tuple[str, str]) -> float:
    high, low = pair
    return logprobs[f" {high}"] - logprobs[f" {low}"]


def _mapped(x: float, d: Dimension, spec: JudgeSpec) -> float:
    calibration = spec.calibrated(d.name)
    return d.low + (d.high - d.low) * sigmoid(calibration.a * x + calibration.b)


def sigmoid(x: float) -> float:
    """The share in (0, 1) of log-odds, also of large ones."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _logsumexp(given: Iterable[float]) -> float:
    values = list(given)
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def _clause(text: str) -> str:
    return " ".join(text.split()).rstrip(".。")
