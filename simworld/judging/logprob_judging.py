"""Judging with a local model's log-probabilities: opposed statements, or the expectation over
answer tokens. No text is sampled.

Sans-I/O: each function is a generator that yields Score requests and is sent their completions.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence

from scenarios.rubrics import fill_slots
from simworld.core.errors import Failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.protocols import JudgementGenerator
from simworld.core.requests import (
    ChatPrompt,
    Completion,
    Message,
    Prompt,
    Request,
    Score,
    TextPrompt,
)
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprobs import continuation_logprobs, logsumexp, sigmoid
from simworld.judging.prompts import SCORE_QUESTION, TRUE_QUESTION
from simworld.judging.seat_questions import default_verdict, lacks_private_text, slot_values
from simworld.judging.transcript import JudgeTranscript

YES, NO = (" Yes", " yes"), (" No", " no")


def judge_by_statements(
    transcript: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
) -> JudgementGenerator:
    """Verdicts from the log-odds between opposed statements, read after the dialogue.

    All statements of all seats and dimensions follow one shared prompt, so the dialogue is read
    once. The log-odds of the wordings are summed; with `spec.prior` those of the same statements
    without the dialogue are taken off.
    """
    statement_pairs = {
        (seat, d.name): [
            (fill_slots(high, values), fill_slots(low, values))
            for high, low in zip(d.high_statements, d.low_statements, strict=True)
        ]
        for seat in seats
        for values in [slot_values(transcript, seat)]
        for d in rubric.dimensions
        if not lacks_private_text(d, values)
    }
    if lacking := [d.name for d in rubric.dimensions if not d.high_statements]:
        return Failure(
            boundary="judge",
            kind="no-statements",
            message=f"the rubric {rubric.name} has no statements for {', '.join(lacking)}",
        )
    continuations = tuple(
        dict.fromkeys(
            f" {text}" for pairs in statement_pairs.values() for pair in pairs for text in pair
        )
    )
    with_dialogue: Mapping[str, float] = {}
    without_dialogue: Mapping[str, float] = {}
    if continuations:
        for dialogue in (True, False) if spec.prior else (True,):
            parts = (_prompt_body(transcript, spec, dialogue=dialogue), spec.ask)
            prompt = TextPrompt(text="\n\n".join(part for part in parts if part))
            completion = yield Score(
                prompt=prompt, continuations=continuations, thread=thread if dialogue else ""
            )
            logprobs = continuation_logprobs(completion, continuations)
            if isinstance(logprobs, Failure):
                return logprobs
            if dialogue:
                with_dialogue = logprobs
            else:
                without_dialogue = logprobs
    verdicts = []
    for seat in seats:
        for d in rubric.dimensions:
            pairs = statement_pairs.get((seat, d.name))
            if pairs is None:
                verdicts.append(default_verdict(seat, d))
                continue
            raw = {f"log_odds_{i}": _log_odds(with_dialogue, pair) for i, pair in enumerate(pairs)}
            log_odds = sum(raw.values())
            if spec.prior:
                raw["prior"] = sum(_log_odds(without_dialogue, pair) for pair in pairs)
                log_odds -= raw["prior"]
            verdicts.append(_log_odds_verdict(seat, d, log_odds, raw, spec))
    return tuple(verdicts)


def judge_by_answers(
    transcript: JudgeTranscript,
    rubric: Rubric,
    spec: JudgeSpec,
    seats: Sequence[str],
    thread: str = "",
) -> JudgementGenerator:
    """Verdicts from the expectation over answer tokens: digits 0–9, or yes against no.

    Digits map linearly to the range. One request per seat and dimension (yes/no: and wording);
    their prompts begin alike, for a backend with a cache per thread.
    """
    body = _prompt_body(transcript, spec, dialogue=True)
    verdicts = []
    for seat in seats:
        values = slot_values(transcript, seat)
        for d in rubric.dimensions:
            if lacks_private_text(d, values):
                verdicts.append(default_verdict(seat, d))
                continue
            if spec.answers == "digits":
                question = fill_slots(d.question, values)
                prompt = SCORE_QUESTION.format(body=body, question=question)
                logprobs = yield from _ask_answers(prompt, _DIGIT_ANSWERS, spec, thread)
                if isinstance(logprobs, Failure):
                    return logprobs
                verdicts.append(_digits_verdict(seat, d, logprobs))
                continue
            if not d.high_statements:
                message = f"the rubric {rubric.name} has no statements for {d.name}"
                return Failure(boundary="judge", kind="no-statements", message=message)
            raw: dict[str, float] = {}
            for i, statement in enumerate(d.high_statements):
                prompt = TRUE_QUESTION.format(body=body, statement=fill_slots(statement, values))
                logprobs = yield from _ask_answers(prompt, YES + NO, spec, thread)
                if isinstance(logprobs, Failure):
                    return logprobs
                yes, no = (logsumexp(logprobs[a] for a in words) for words in (YES, NO))
                raw[f"log_odds_{i}"] = yes - no
                raw[f"answer_mass_{i}"] = math.exp(logsumexp(logprobs.values()))
            total = sum(value for key, value in raw.items() if key.startswith("log_odds"))
            log_odds = total / len(d.high_statements)
            verdicts.append(_log_odds_verdict(seat, d, log_odds, raw, spec))
    return tuple(verdicts)


_DIGIT_ANSWERS = tuple(f" {digit}" for digit in range(10))


def _ask_answers(
    text: str, answers: tuple[str, ...], spec: JudgeSpec, thread: str
) -> Generator[Request, Completion, Mapping[str, float] | Failure]:
    if spec.chat:  # a reply begins without a space
        prompt: Prompt = ChatPrompt(
            messages=(Message(role="user", content=text.removesuffix("\nAnswer:")),)
        )
        stripped = tuple(answer.strip() for answer in answers)
        completion = yield Score(prompt=prompt, continuations=stripped, thread=thread)
        logprobs = continuation_logprobs(completion, stripped)
        if isinstance(logprobs, Failure):
            return logprobs
        return dict(zip(answers, logprobs.values(), strict=True))
    completion = yield Score(prompt=TextPrompt(text=text), continuations=answers, thread=thread)
    return continuation_logprobs(completion, answers)


def _digits_verdict(seat: str, d: Dimension, logprobs: Mapping[str, float]) -> Verdict:
    log_mass = logsumexp(logprobs.values())
    shares = [math.exp(value - log_mass) for value in logprobs.values()]
    mean = sum(share * digit for digit, share in enumerate(shares))
    raw = {"digit_mean": mean, "digit_mass": math.exp(log_mass)} | {
        f"p{digit}": share for digit, share in enumerate(shares)
    }
    return Verdict(seat=seat, dimension=d.name, score=d.low + (d.high - d.low) * mean / 9, raw=raw)


def _prompt_body(transcript: JudgeTranscript, spec: JudgeSpec, *, dialogue: bool) -> str:
    parts = [transcript.context(spec.head)]
    if dialogue:
        parts.append(transcript.dialogue_or_silence)
    return "\n\n".join(part for part in parts if part)


def _log_odds(logprobs: Mapping[str, float], pair: tuple[str, str]) -> float:
    high, low = pair
    return logprobs[f" {high}"] - logprobs[f" {low}"]


def _log_odds_verdict(
    seat: str, d: Dimension, log_odds: float, raw: Mapping[str, float], spec: JudgeSpec
) -> Verdict:
    """The verdict that calibrated log-odds make; `raw` are those of the wordings."""
    calibration = spec.calibration_for(d.name)
    score = d.low + (d.high - d.low) * sigmoid(calibration.a * log_odds + calibration.b)
    return Verdict(seat=seat, dimension=d.name, score=score, raw={"log_odds": log_odds, **raw})
