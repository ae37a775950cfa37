"""The casts of a command line, and what to write where they are not understood."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.yamlfile import join_with_and

if TYPE_CHECKING:
    from simworld.runner.run_plan import Cast

ANY_SEAT = "*"


def read_casts(
    by_order: Sequence[str], by_seat: Sequence[str], seats: Callable[[], Sequence[str]]
) -> tuple[Cast, ...]:
    """The casts of `--agents` and `--cast`.

    `seats` gives the names of the seats that there are, or none where scenarios differ in them;
    only a wrong `--cast` asks for it.

    Raises:
        InputError: a part is not understood, or names a seat a second time.
    """
    from simworld.runner.run_plan import Cast

    casts = [
        Cast(by_order=tuple(part.strip() for part in text.split(",") if part.strip()))
        for text in by_order
    ]
    agent_by_seat: dict[str, str] = {}
    bare_words: list[str] = []
    problems = []
    for text in (part.strip() for option in by_seat for part in option.split(",")):
        seat, equals, agent = (part.strip() for part in text.partition("="))
        if text and not equals:
            bare_words.append(text)
        elif not (seat and agent):
            form = "write SEAT=AGENT, '*=AGENT' or several with commas"
            problems.append(Problem(message=f"--cast {text!r} is not understood; {form}"))
        elif seat in agent_by_seat:
            problems.append(
                Problem(message=f"--cast names seat {seat!r} twice; use --agents for several casts")
            )
        else:
            agent_by_seat[seat] = agent
    if bare_words:
        message = _explain_bare_words(bare_words, agent_by_seat, _seats_if_readable(seats))
        problems.append(Problem(message=message))
    if problems:
        raise InputError(problems)
    return (*casts, Cast(by_seat=agent_by_seat)) if agent_by_seat else tuple(casts)


def common_seats(scenarios: Sequence[str]) -> tuple[str, ...]:
    """The seats of the scenarios that are named, if all have the same."""
    from scenarios import find_scenarios

    seat_names = {
        tuple(seat.name for seat in loaded.scenario.seats) for loaded in find_scenarios(scenarios)
    }
    return seat_names.pop() if len(seat_names) == 1 else ()


def explain_split_cast(
    scenarios: Sequence[str], by_order: Sequence[str], by_seat: Sequence[str]
) -> InputError | None:
    """What is wrong where a cast was written with spaces, so that the shell took its end for
    scenarios; None elsewhere.
    """
    from scenarios import find_scenarios

    parts = [word for word in scenarios if by_seat and "=" in word and not os.path.lexists(word)]
    agents = [
        word
        for word in scenarios
        if (by_order or by_seat) and word not in parts and _is_agent(word)
    ]
    if not parts and not agents:
        return None
    scenario_words = [word for word in scenarios if word not in (*parts, *agents)]
    problems = []
    if parts:
        cast = shlex.quote(",".join(text.strip(", ") for text in (*by_seat, *parts)))
        message = f"{join_with_and(parts)} {'is' if len(parts) == 1 else 'are'} part of the cast"
        problems.append(Problem(message=f"{message}, and spaces end it; write --cast {cast}"))
    if agents:
        message = (
            f"{join_with_and(agents)} {'is an agent' if len(agents) == 1 else 'are agents'} and no"
            " scenario"
        )
        cast = shlex.quote(",".join(text.strip(", ") for text in (*by_order[-1:], *agents)))
        advice = f"write --agents {cast}"
        if not by_order:
            advice = (
                _cast_problem((*by_seat, *agents), lambda: common_seats(scenario_words))
                or "write --cast SEAT=AGENT,SEAT=AGENT"
            )
        problems.append(Problem(message=f"{message}; {advice}"))
    with collecting_problems(problems):
        find_scenarios(scenario_words)
    return InputError(problems)


def _is_agent(word: str) -> bool:
    from agents import find_specs
    from scenarios import find_scenarios
    from simworld.cli.files.file_kinds import file_kind

    if os.path.isfile(word):
        return file_kind(Path(word)) == "agent"
    try:
        find_specs([word])
    except InputError:
        return False
    try:
        find_scenarios([word])
    except InputError:
        return True
    return False


def _cast_problem(texts: Sequence[str], seats: Callable[[], Sequence[str]]) -> str:
    """What a cast in which seats are missing is told."""
    try:
        read_casts((), [text.strip(", ") for text in texts], seats)
    except InputError as error:
        return str(error)
    return ""


def _seats_if_readable(seats: Callable[[], Sequence[str]]) -> Sequence[str]:
    try:
        return seats()
    except InputError:
        return ()  # what is wrong there is told once the cast is right


def _explain_bare_words(
    words: Sequence[str], cast_so_far: dict[str, str], seats: Sequence[str]
) -> str:
    """Of agents without seats, or seats without agents: what to write, with the seats that are free
    in their order.
    """
    message = (
        f"--cast {','.join(words)!r} is not understood; write SEAT=AGENT, '*=AGENT' or several with"
        " commas"
    )
    if not seats:
        return message
    seat_list = f"the seats are {', '.join(seats)}"
    if any(word in seats for word in words):
        return f"{message}; {seat_list}"
    free = [seat for seat in seats if seat not in cast_so_far and ANY_SEAT not in cast_so_far]
    if len(words) == 1 and len(free) > 1:
        free = [ANY_SEAT]
    if len(free) < len(words):
        return f"{message}; {seat_list}"
    completed = {**cast_so_far, **dict(zip(free, words, strict=False))}
    text = ",".join(f"{seat}={agent}" for seat, agent in completed.items())
    return f"{message}; {seat_list}, so perhaps --cast {shlex.quote(text)}"
