"""Tables of a tournament for people: standings, win matrix, price, two agents side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.text import Text

from simworld.cli.output.terminal import console, grid, show_notes
from simworld.cli.output.text import harmless, print_json, say
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from simworld.results.differences import Difference
    from simworld.results.standings import MeasureStandings, Standings
    from simworld.stats.intervals import Estimate
    from simworld.stats.ratings import Rating
    from simworld.tournaments.cost_estimate import CostEstimate
    from simworld.tournaments.results import TournamentResult

DASH = "–"
INTERVAL = "95 % interval"


def show_results(
    title: str, results: TournamentResult, *, measure: str | None = None, same_partners: bool = True
) -> None:
    """Standings and win matrix on one measure, and the means of all.

    Args:
        title: of the tournament.
        results: its results.
        measure: default: the deciding one.
        same_partners: whether everybody has met the same partners; else a line says that mean
            scores do not compare.

    Raises:
        InputError: no such measure.
    """
    standings = results.standings
    if measure is not None and measure not in standings.tables:
        hint = (
            did_you_mean(measure, tuple(standings.tables))
            or f"; there are {', '.join(standings.tables)}"
        )
        raise InputError(f"no measure {measure!r}{hint}")
    main = (
        standings.tables[measure]
        if measure is not None
        else next(iter(standings.tables.values()), None)
    )
    if main is None:
        return
    screen = console()
    screen.print(
        Text(harmless(f"{title}: {main.measure}, judged by {results.judge}"), style="bold")
    )
    screen.print(_standings_table(main, standings))
    if len(standings.tables) > 1:
        form = (
            "mean (95 % interval) n, in shares of the range; sotopia_mean: of the seven, each in"
            " its own range"
        )
        screen.print(Text(f"\nScores: {form}", style="bold"))
        agents = [standing.agent for standing in main.standings]
        screen.print(_means_table(standings, agents))
    if main.win_records:
        screen.print(
            Text(
                f"\nGames on {main.measure}: won-tied-lost of the row against the column",
                style="bold",
            )
        )
        screen.print(_win_matrix(main))
    if results.multiplayer_ratings:
        screen.print(
            Text("\nTables of three and more: ranks within episodes, Plackett–Luce", style="bold")
        )
        table = grid("agent", "rating", "±", "episodes", right=("rating", "±", "episodes"))
        for rating in results.multiplayer_ratings:
            table.add_row(
                harmless(rating.agent),
                f"{rating.mu:.2f}",
                f"{rating.sigma:.2f}",
                str(rating.episodes),
            )
        screen.print(table)
    if not same_partners:
        click.echo(
            "Note: agents have met different partners, so ratings compare, and mean scores do not.",
            err=True,
        )
    show_notes((*results.cautions, *standings.warnings, *main.notes))


def _standings_table(main: MeasureStandings, standings: Standings) -> object:
    counts = ("n", "families", "games", "won", "tied", "lost", "seats", "failed", "unscored")
    columns = ("agent", "rating", INTERVAL, "score", INTERVAL, *counts)
    table = grid(*columns, right=("rating", "score", *counts), exact=(INTERVAL,))
    for standing in main.standings:
        seats = standings.seats[standing.agent]
        rating, score = standing.rating, standing.score
        lost = "0" if rating is None else str(rating.games - rating.wins - rating.ties)
        table.add_row(
            harmless(standing.agent),
            DASH if rating is None else f"{rating.points:.0f}",
            (
                "anchor"
                if standing.agent == standings.anchor and rating
                else _interval(rating, "{:.0f}")
            ),
            DASH if score is None else f"{score.mean:.3f}",
            _interval(score, "{:.3f}"),
            *(("0", "0") if score is None else (str(score.n), str(score.families))),
            *(
                ("0", "0", "0")
                if rating is None
                else (str(rating.games), str(rating.wins), str(rating.ties))
            ),
            lost,
            *(str(number) for number in (seats.played, seats.failed, seats.unscored)),
        )
    return table


def _means_table(standings: Standings, agents: Sequence[str]) -> object:
    table = grid("measure", *agents, exact=tuple(agents))
    for measure, measure_table in standings.tables.items():
        scores = {standing.agent: standing.score for standing in measure_table.standings}
        cells = [_mean_text(scores[agent]) for agent in agents]
        table.add_row(harmless(measure), *cells)
    return table


def _mean_text(score: Estimate | None) -> str:
    return DASH if score is None else f"{score.mean:.3f} ({_interval(score, '{:.2f}')}) {score.n}"


def _win_matrix(main: MeasureStandings) -> object:
    agents = [standing.agent for standing in main.standings]
    table = grid("", *agents, right=tuple(agents))
    for agent in agents:
        cells = []
        for opponent in agents:
            record = main.win_records.get((agent, opponent))
            cells.append(DASH if record is None else f"{record.wins}-{record.ties}-{record.losses}")
        table.add_row(harmless(agent), *cells)
    return table


def _interval(estimate: Rating | Estimate | None, form: str) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return DASH
    if estimate.high == math.inf:
        return "no bounds" if estimate.low == -math.inf else f"{form.format(estimate.low)} or more"
    return (
        f"{form.format(estimate.high)} or less"
        if estimate.low == -math.inf
        else f"{form.format(estimate.low)} … {form.format(estimate.high)}"
    )


def show_differences(first: str, second: str, differences: Mapping[str, Difference]) -> None:
    """One agent less another, by measure."""
    screen = console()
    screen.print(Text(harmless(f"{first} less {second}"), style="bold"))
    right = ("difference", "d_z", "p", "Holm p", "sign-flip p", "n", "families", "families needed")
    table = grid("measure", "difference", INTERVAL, *right[1:], right=right, exact=(INTERVAL,))
    notes: dict[str, None] = {}
    for measure, difference in differences.items():
        paired = difference.comparison
        notes |= dict.fromkeys(paired.notes)
        table.add_row(
            harmless(measure),
            f"{paired.mean:+.3f}",
            DASH if paired.low is None else f"{paired.low:+.3f} … {paired.high:+.3f}",
            *(
                DASH if x is None else f"{x:.3g}"
                for x in (difference.effect_size, paired.p, paired.p_holm, paired.sign_p)
            ),
            str(paired.pairs),
            str(paired.families),
            DASH if difference.families_needed is None else f"{difference.families_needed:,}",
        )
    screen.print(table)
    show_notes(tuple(notes))


def show_cost(name: str, cost: CostEstimate, as_json: bool) -> None:
    """What is played, what is left, and what it will take."""
    if as_json:
        print_json({"tournament": name, **asdict(cost)})
        return
    bound = "at most " if cost.upper_bound else ""
    failed = f", {cost.failed:,} of them failed" if cost.failed else ""
    say(
        f"{name}: {bound}{counted(cost.episodes, 'episode')}, {cost.played:,} played{failed},"
        f" {cost.left:,} left"
    )
    click.echo(f"judgements: {bound}{cost.judgements:,} to make")
    if cost.left:
        tokens = (
            "unknown"
            if cost.tokens is None
            else f"about {cost.tokens:,} written, {cost.tokens_read:,} read"
        )
        click.echo(f"tokens: {tokens}")
    if cost.left or cost.judgements:
        minutes_by_part = {"playing": cost.minutes, "judging": cost.judging_minutes}
        texts = [
            f"{part} {'unknown' if minutes is None else f'about {minutes:.1f}'}"
            for part, minutes in minutes_by_part.items()
        ]
        click.echo(f"minutes: {', '.join(texts)}")
    if cost.unmeasured:
        names = ", ".join(cost.unmeasured)
        text = (
            f"Note: no episode of {names} is in the database; `run --episodes 8` plays a few, and"
            " then this is measured."
        )
        say(text, err=True)
