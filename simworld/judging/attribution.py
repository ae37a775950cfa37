"""Which utterances mattered: a judge's word on each turn, to share a score out among them.

Two ways. `attributed`: a local model weighs opposed statements about each line after the whole
dialogue. `prefixes`: any judge scores the dialogue as far as it had come before the seat's next
turn. Sans-I/O, as the judges themselves.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from simworld.core.episode import Act, Ending, Episode
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import Dimension, Judgement, Verdict
from simworld.core.requests import Completion, Request, Score, TextPrompt
from simworld.core.scenario import Scenario
from simworld.judging.judge import Judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprobs import continuation_logprobs, sigmoid
from simworld.judging.transcript import JudgeTranscript, act_line, make_judge_transcript
from store import Attribution

MATTERED = "This line mattered for how it ended: {line}"
MADE_NO_DIFFERENCE = "This line made no difference to how it ended: {line}"

AttributionGenerator = Generator[Request, Completion, "tuple[Attribution, ...] | Failure"]


def check_method(spec: JudgeSpec, method: str) -> None:
    """Raises InputError where a judge cannot say what is asked of it."""
    if method == "attributed" and spec.method != "statements":
        raise InputError(
            f"judge {spec.name} works by {spec.method!r}: only a judge by 'statements' weighs"
            " utterances; use --method prefixes"
        )


def attribute_utterances(
    judge: Judge,
    method: str,
    scenario: Scenario,
    episode: Episode,
    judgement: Judgement,
    seats: Sequence[str],
) -> AttributionGenerator:
    """What a judge says about seats' turns; `check_method` must have passed."""
    if method == "prefixes":
        return score_partial_dialogues(judge, scenario, episode, judgement, seats)
    return weigh_utterances(judge.spec, scenario, episode, seats)


def weigh_utterances(
    spec: JudgeSpec, scenario: Scenario, episode: Episode, seats: Sequence[str]
) -> AttributionGenerator:
    """A weight in (0, 1) for each turn of each seat: how far its line is said to have mattered.

    The weight is the sigmoid of the log-odds between two statements that quote the line, less the
    mean over the seat's lines: what the judge says of every line tells none apart. A turn in which
    nothing was done has the weight 0. All statements follow one prompt, so the dialogue is read
    once.
    """
    transcript = make_judge_transcript(scenario, episode)
    lines = {seat: _lines_by_turn(episode, seat, transcript) for seat in seats}
    statements = {
        line: (f" {MATTERED.format(line=line)}", f" {MADE_NO_DIFFERENCE.format(line=line)}")
        for seat_lines in lines.values()
        for line in seat_lines.values()
        if line
    }
    log_odds: dict[str, float] = {}
    if statements:
        prompt_text = "\n\n".join(
            part for part in (transcript.context(spec.head), transcript.dialogue, spec.ask) if part
        )
        continuations = tuple(text for pair in statements.values() for text in pair)
        completion = yield Score(prompt=TextPrompt(text=prompt_text), continuations=continuations)
        logprobs = continuation_logprobs(completion, continuations)
        if isinstance(logprobs, Failure):
            return logprobs
        log_odds = {line: logprobs[yes] - logprobs[no] for line, (yes, no) in statements.items()}
    return tuple(
        Attribution(seat=seat, turn=turn, value=sigmoid(log_odds[line] - mean) if line else 0.0)
        for seat, seat_lines in lines.items()
        for mean in [_mean([log_odds[line] for line in seat_lines.values() if line])]
        for turn, line in seat_lines.items()
    )


def score_partial_dialogues(
    judge: Judge, scenario: Scenario, episode: Episode, judgement: Judgement, seats: Sequence[str]
) -> AttributionGenerator:
    """For each seat's turn and dimension the score share of the dialogue before its next turn.

    After a seat's last turn comes the episode's own score, which is not asked again.
    """
    dimensions = {d.name: d for d in judge.rubric.dimensions}
    attributions = [
        _attribution(verdict, turns[-1], dimensions)
        for verdict in judgement.verdicts
        if verdict.seat in seats and (turns := _acted_turns(episode, verdict.seat))
    ]
    # next turn → (seat, its turn before) of those that act in it
    seats_by_next_turn: dict[int, list[tuple[str, int]]] = {}
    for seat in seats:
        turns = _acted_turns(episode, seat)
        for turn, next_turn in pairwise(turns):
            seats_by_next_turn.setdefault(next_turn, []).append((seat, turn))
    for next_turn, seat_turns in sorted(seats_by_next_turn.items()):
        partial_dialogue = replace(
            episode, turns=episode.turns[:next_turn], ending=Ending.terminated, reason="", checks=()
        )
        seat_names = [seat for seat, _ in seat_turns]
        verdicts = yield from judge.judge_episode(
            scenario, partial_dialogue, sample=judgement.sample, seats=seat_names
        )
        if isinstance(verdicts, Failure):
            return verdicts
        turn_of = dict(seat_turns)
        attributions += [_attribution(v, turn_of[v.seat], dimensions) for v in verdicts]
    return tuple(attributions)


def _attribution(verdict: Verdict, turn: int, dimensions: Mapping[str, Dimension]) -> Attribution:
    share = dimensions[verdict.dimension].rescale(verdict.score)
    return Attribution(seat=verdict.seat, turn=turn, value=share, dimension=verdict.dimension)


def _acts_by_turn(episode: Episode, seat: str) -> dict[int, Act]:
    return {turn.index: act for turn in episode.turns for act in turn.acts if act.seat == seat}


def _acted_turns(episode: Episode, seat: str) -> list[int]:
    return sorted(_acts_by_turn(episode, seat))


def _lines_by_turn(episode: Episode, seat: str, transcript: JudgeTranscript) -> dict[int, str]:
    """Turn → the line a judge reads of it, empty where nothing was done."""
    return {
        turn: act_line(act, transcript.names, transcript.language)
        for turn, act in _acts_by_turn(episode, seat).items()
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
