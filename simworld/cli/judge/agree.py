"""`simworld judge agree`: judges and people as raters of the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from simworld.cli.judge.judge_options import run_option
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import print_json

if TYPE_CHECKING:
    from simworld.results.agreement import Agreement, AgreementFigure
    from store import JudgeRecord

    FigureRow = tuple[str, str, AgreementFigure]  # dimension, raters, what they came to


@click.command()
@click.option(
    "--judges",
    metavar="A,B",
    help="Only these raters: names, ids, or beginnings of ids; default: all.",
)
@run_option
@db_option
@json_option
def agree(db: str, judges: str | None, run_name: str | None, as_json: bool) -> None:
    """Measure how far raters agree about the same seats.

    Krippendorff's alpha over all of them, rank correlations of each two, and how far each agrees
    with itself where it judged an episode several times or was shown it with seats or names
    swapped; with 95 % intervals that resample families of scenarios.
    """
    from simworld.results.agreement import find_raters, measure_agreement
    from store import open_store

    names = [name.strip() for name in judges.split(",") if name.strip()] if judges else []
    with open_store(db) as store:
        store.check_names(run=run_name)
        raters = find_raters(store, names)
        agreements = measure_agreement(store, [rater.id for rater in raters], run=run_name)
    if as_json:
        report = {
            "raters": {rater.id: rater.name for rater in raters},
            "dimensions": [_agreement_json(dimension) for dimension in agreements],
        }
        print_json(report, indent=1)
        return
    _print_agreements(raters, agreements)


def _agreement_json(dimension: Agreement) -> dict[str, object]:
    return {
        "dimension": dimension.dimension,
        "alpha": None if dimension.alpha is None else asdict(dimension.alpha),
        "correlations": [
            {"judges": list(pair), **asdict(figure)}
            for pair, figure in dimension.correlations.items()
        ],
        "retests": [{"judge": id_, **asdict(figure)} for id_, figure in dimension.retests.items()],
        "swaps": [
            {"judge": id_, "swap": swap, **asdict(figure)}
            for (id_, swap), figure in dimension.swaps.items()
        ],
    }


def _print_agreements(raters: Sequence[JudgeRecord], agreements: Sequence[Agreement]) -> None:
    names = _rater_names(raters)
    alphas = [(agreed.dimension, "", agreed.alpha) for agreed in agreements if agreed.alpha]
    pairs: list[FigureRow] = []
    retests: list[FigureRow] = []
    swaps: list[FigureRow] = []
    for agreed in agreements:
        name = agreed.dimension
        pairs += [
            (name, f"{names[a]} · {names[b]}", f) for (a, b), f in agreed.correlations.items()
        ]
        retests += [(name, names[id_], figure) for id_, figure in agreed.retests.items()]
        swaps += [(name, f"{names[id_]} {swap}", f) for (id_, swap), f in agreed.swaps.items()]
    no_pairs = "no seat of an episode has scores of two of these raters"
    _print_figures(
        "Krippendorff's alpha, interval metric: 1 full agreement, 0 as by chance",
        "alpha",
        alphas,
        no_pairs,
    )
    _print_figures("Spearman's rank correlation of two raters", "rho", pairs, no_pairs)
    no_retests = "no rater has judged an episode twice (simworld judge run --samples 2)"
    _print_figures(
        "Test–retest: standard deviation of the difference of two samples, share of the range",
        "deviation",
        retests,
        no_retests,
    )
    no_swaps = "no rater has judged swapped dialogues (simworld judge run --swap seats, or names)"
    _print_figures(
        "Swapped seats or names: mean change of a score by it, share of the range",
        "change",
        swaps,
        no_swaps,
    )


def _print_figures(title: str, unit: str, rows: Sequence[FigureRow], why_empty: str) -> None:
    if not rows:
        click.echo(f"{title}: not measured, for {why_empty}.\n")
        return
    click.echo(f"{title}:")
    has_raters = any(raters for _, raters, _ in rows)
    columns = ("dimension", *(("raters",) if has_raters else ()), unit, "95 %", "n", "families")
    table = grid(*columns, right=(unit, "n", "families"))
    for dimension, raters, figure in rows:
        interval = (
            None
            if figure.low is None or figure.high is None
            else f"{figure.low:.2f} … {figure.high:.2f}"
        )
        value = None if figure.value is None else f"{figure.value:.2f}"
        cells = [
            dimension,
            *([raters] if has_raters else []),
            value,
            interval,
            figure.n,
            figure.families,
        ]
        table.add_row(*map(cell, cells))
    console().print(table)
    click.echo()


def _rater_names(raters: Sequence[JudgeRecord]) -> dict[str, str]:
    """Judge id → its name, or the id where several have that name."""
    names = [rater.name for rater in raters]
    return {rater.id: rater.name if names.count(rater.name) == 1 else rater.id for rater in raters}
