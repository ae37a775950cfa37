"""Which utterances mattered: a judge's word on each turn of a seat, so that a score can be shared
out among them.

Two ways. `attributed`: a local model weighs opposed statements about each line after the whole
dialogue. `prefixes`: any judge scores the dialogue as far as it had come before the seat's next
turn. Sans-I/O, as the judges themselves.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import pairwise

from simworld.core.episode import Act, Ending, Episode
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import Judgement
from simworld.core.requests import Completion, Request, Score, TextPrompt
from simworld.core.scenario import Scenario
from simworld.judging.judge import Judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprob_judging import logprobs_of, sigmoid
from simworld.judging.transcript import JudgeTranscript, act_line, judge_transcript
from store import Attribution

MATTERED = "This line mattered for how it ended: {line}"
IDLE = "This line made no difference to how it ended: {line}"

Attributing = Generator[Request, Completion, "tuple[Attribution, ...] | Failure"]


def check_method(spec: JudgeSpec, method: str) -> None:
    """Raises InputError where a judge cannot say what is asked of it."""
    if method == "attributed" and spec.method != "statements":
        raise InputError(
            f"judge {spec.name} works by {spec.method!r}: only a judge by 'statements' weighs"
            " utterances; use --method prefixes"
        )


def attribute(
    judge: Judge,
    method: str,
    scenario: Scenario,
    episode: Episode,
    judgement: Judgement,
    seats: Sequence[str],
) -> Attributing:
    """What a judge says about the turns of some seats of an episode it has judged; `check_method`
    must have passed.
    """
    if method == "prefixes":
        return score_prefixes(judge, scenario, episode, judgement, seats)
    return attribute_by_line_weight(judge.spec, scenario, episode, seats)


def attribute_by_line_weight(
    spec: JudgeSpec, scenario: Scenario, episode: Episode, seats: Sequence[str]
) -> Attributing:
    """A weight in (0, 1) for each turn of each seat: how far the line is said to have mattered,
    against the seat's other lines.

    The weight is the sigmoid of the log-odds between two statements that quote the line, less the
    mean over the seat's lines: what the judge says of every line tells none apart. A turn in which
    nothing was done has the weight 0. All statements follow one prompt, so the dialogue is read
    once.
    """
    reading = judge_transcript(scenario, episode)
    lines = {seat: _lines(episode, seat, reading) for seat in seats}
    pairs = {
        line: (f" {MATTERED.format(line=line)}", f" {IDLE.format(line=line)}")
        for found in lines.values()
        for line in found.values()
        if line
    }
    odds: dict[str, float] = {}
    if pairs:
        body = "\n\n".join(
            part for part in (reading.head(spec.head), reading.dialogue, spec.ask) if part
        )
        texts = tuple(text for pair in pairs.values() for text in pair)
        scored = logprobs_of(
            (yield Score(prompt=TextPrompt(text=body), continuations=texts)), texts
        )
        if isinstance(scored, Failure):
            return scored
        odds = {line: scored[high] - scored[low] for line, (high, low) in pairs.items()}
    return tuple(
        Attribution(seat=seat, turn=turn, value=sigmoid(odds[line] - mean) if line else 0.0)
        for seat, found in lines.items()
        for mean in [_mean([odds[line] for line in found.values() if line])]
        for turn, line in found.items()
    )


def score_prefixes(
    judge: Judge, scenario: Scenario, episode: Episode, judgement: Judgement, seats: Sequence[str]
) -> Attributing:
    """For each turn of each seat and each dimension the score, as a share of its range, of the
    dialogue before its next turn.

    After a seat's last turn comes the episode's own score, which is not asked again.
    """
    ranges = {d.name: d for d in judge.rubric.dimensions}
    parts = [
        Attribution(
            seat=v.seat,
            turn=turns[-1],
            value=ranges[v.dimension].rescale(v.score),
            dimension=v.dimension,
        )
        for v in judgement.verdicts
        if v.seat in seats and (turns := _turns(episode, v.seat))
    ]
    # next turn → the seats that act in it, each with its turn before
    followed: dict[int, list[tuple[str, int]]] = {}
    for seat in seats:
        turns = _turns(episode, seat)
        for turn, following in pairwise(turns):
            followed.setdefault(following, []).append((seat, turn))
    for following, asked in sorted(followed.items()):
        so_far = replace(
            episode, turns=episode.turns[:following], ending=Ending.terminated, reason="", checks=()
        )
        names = [seat for seat, _ in asked]
        verdicts = yield from judge.judging(scenario, so_far, sample=judgement.sample, seats=names)
        if isinstance(verdicts, Failure):
            return verdicts
        turn_of = dict(asked)
        parts += [
            Attribution(
                seat=v.seat,
                turn=turn_of[v.seat],
                value=ranges[v.dimension].rescale(v.score),
                dimension=v.dimension,
            )
            for v in verdicts
        ]
    return tuple(parts)


def _acts(episode: Episode, seat: str) -> dict[int, Act]:
    return {turn.index: act for turn in episode.turns for act in turn.acts if act.seat == seat}


def _turns(episode: Episode, seat: str) -> list[int]:
    return sorted(_acts(episode, seat))


def _lines(episode: Episode, seat: str, reading: JudgeTranscript) -> dict[int, str]:
    """Turn → the line a judge reads of it, empty where nothing was done."""
    return {
        turn: act_line(act, reading.names, reading.language)
        for turn, act in _acts(episode, seat).items()
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
