"""A stored episode as people read it: who sat where, what was said, checks and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from agents.lm.reasoning import split_thought
from agents.steering.named_ways import NearWay
from simworld.cli.output.terminal import cell, grid
from simworld.cli.output.text import harmless
from simworld.core.counts import counted
from simworld.core.episode import Act, ActionKind, CheckResult
from simworld.core.scenario import Scenario
from simworld.language.act_text import describe_act, privacy_words, speaker_separator
from store import StoredEpisode, StoredJudgement

SHORT_ID = 10  # digits shown in lists; any beginning that is unique names an episode
SEAT_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")  # one per seat, in order


def print_transcript(
    screen: Console,
    stored: StoredEpisode,
    scenario: Scenario,
    *,
    reasoning: bool = False,
    ways: Mapping[int, Sequence[NearWay]] | None = None,
) -> None:
    """Prints who sat where and every act in the scenario's language, with `reasoning` after what
    its model thought; under the act of a number the `ways` that its action is nearest to.
    """
    print_heading(screen, stored, scenario.title)
    names = {seat.seat: seat.persona for seat in stored.summary.seats}
    number = 0
    for turn in stored.episode.turns:
        for act in turn.acts:
            if reasoning and (thought := thought_text(act)):
                screen.print(thought)
            screen.print(act_line(turn.index, act, names, scenario.language))
            if near := (ways or {}).get(number):
                screen.print(ways_text(near))
            number += 1
    print_ending(screen, stored)


def print_heading(screen: Console, stored: StoredEpisode, title: str = "") -> None:
    """Prints what was played and who sat where."""
    summary = stored.summary
    screen.print(Text(harmless(title or summary.scenario_name), style="bold"))
    facts = (
        f"episode {summary.id} · run {summary.run} · repeat {summary.repeat} · attempt"
        f" {summary.attempt}"
    )
    facts += f" · branched from {summary.parent_id}" if summary.parent_id else ""
    screen.print(Text(harmless(facts), style="dim"))
    colours = _seat_colours([seat.seat for seat in summary.seats])
    for seat in summary.seats:
        line = Text(harmless(seat.persona), style=colours[seat.seat])
        screen.print(
            line.append(harmless(f"  {seat.seat}, played by {seat.agent_name}"), style="dim")
        )
    screen.print()


def print_ending(screen: Console, stored: StoredEpisode) -> None:
    """Prints how it ended; of a failure whose it was, and how to try again."""
    summary = stored.summary
    screen.print()
    ending_text = f"Ended after {counted(summary.turns, 'turn')}: {summary.ending.value}"
    ending_text += f" ({summary.reason})" if summary.reason != summary.ending.value else ""
    screen.print(Text(harmless(ending_text), style="bold"))
    if summary.failure is not None:
        screen.print(Text(harmless(summary.failure_text), style="red"))
        retry_hint = f"The command that plays run {summary.run} plays it again with --retry-failed."
        screen.print(Text(harmless(retry_hint), style="dim"))


def thought_text(act: Act) -> Text | None:
    """What the model of an act thought before it; None where it kept no thought."""
    generation = act.generation
    thought = split_thought(generation.raw).thought if generation is not None else ""
    if generation is None or (not thought and not generation.reasoning_tokens):
        return None
    tokens = (
        f" ({counted(generation.reasoning_tokens, 'token')})" if generation.reasoning_tokens else ""
    )
    thought_or_reason = thought or "the server did not show it"
    return Text(f"    thought{tokens}: {harmless(thought_or_reason)}", style="dim")


def ways_text(ways: Sequence[NearWay]) -> Text:
    """The ways that an action is nearest to, on a line of their own."""
    told = "; ".join(f"{way.words} ({way.cosine:.2f})" for way in ways)
    return Text(f"    steered to {harmless(told)}", style="dim")


def act_line(turn: int, act: Act, names: Mapping[str, str], language: str) -> Text:
    """One act; `names` maps all seats, in their order, to what people are called, `language` is the
    scenario's.
    """
    line = Text(f"{turn + 1:>3} ", style="dim")
    line.append(
        harmless(names.get(act.seat, act.seat)), style=_seat_colours(list(names)).get(act.seat, "")
    )
    if act.action.to:
        before, between, after = privacy_words(language)
        line.append(
            harmless(
                before + between.join(names.get(seat, seat) for seat in act.action.to) + after
            ),
            style="dim",
        )
    text = harmless(describe_act(act.action, language))
    if act.action.kind is ActionKind.speak:
        return line.append(f"{speaker_separator(language)}{text}", style="default")
    return line.append(f" [{text}]", style="italic")


def print_checks(screen: Console, checks: tuple[CheckResult, ...]) -> None:
    """Prints what the scenario's checks found."""
    if not checks:
        return
    table = grid("check", "holds", "found", "turn", right=("turn",))
    for check in checks:
        holds = check.error if check.holds is None else "yes" if check.holds else "no"
        turn = None if check.turn is None else check.turn + 1  # as the transcript counts
        table.add_row(cell(check.name), cell(holds), cell(check.value), cell(turn))
    screen.print()
    screen.print(table)


def print_scores(screen: Console, judgements: Sequence[StoredJudgement]) -> None:
    """Prints every judgement's scores, one table per judge and sample, a column per seat."""
    for stored in judgements:
        judgement = stored.judgement
        screen.print()
        heading = (
            f"Judge {stored.judge_name} ({judgement.judge_id[:SHORT_ID]}), sample"
            f" {judgement.sample}"
        )
        screen.print(Text(harmless(heading), style="bold"))
        if judgement.failure is not None:
            screen.print(Text(harmless(f"failed: {judgement.failure}"), style="red"))
            continue
        seats = tuple(dict.fromkeys(verdict.seat for verdict in judgement.verdicts))
        scores = {
            (verdict.dimension, verdict.seat): verdict.score for verdict in judgement.verdicts
        }
        table = grid("dimension", *seats, right=seats)
        for dimension in dict.fromkeys(verdict.dimension for verdict in judgement.verdicts):
            row = (scores.get((dimension, seat)) for seat in seats)
            table.add_row(
                cell(dimension), *(cell(None if value is None else f"{value:.1f}") for value in row)
            )
        screen.print(table)


def _seat_colours(seats: Sequence[str]) -> dict[str, str]:
    return {seat: SEAT_COLOURS[index % len(SEAT_COLOURS)] for index, seat in enumerate(seats)}
