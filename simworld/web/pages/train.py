"""Trainings: what was measured while a planner learned, and what it learned from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from simworld.web.app_state import AppState
from simworld.web.figures.bars import draw_histogram
from simworld.web.figures.curves import Series, draw_curves
from simworld.web.numbers import format_number
from simworld.web.page import Page
from simworld.web.page_request import PageNotFound, PageRequest
from store import Store, TrainingRecord, TrainingStep

PAGE_SIZE = 50
HELD_OUT = "held_"  # before metrics of what was held out
ZERO_REFERENCED = ("q_bias",)  # metrics that are read against zero
METRIC_TITLES = {
    "critic_loss": "Loss of the critics",
    "actor_loss": "Loss of the actor",
    "bc_distance": "Distance from the data's actions",
    "action_shift": (
        "How far the mean action is from the data's, in the data's own distances from it"
    ),
    "action_dispersion": "Dispersion of actions: 0 where every state gets the same one",
    "mean_abs_q": "Mean size of the values",
    "q_bias": "Values less returns",
    "q_correlation": "Correlation of values and returns",
    "lambda": "Weight λ of the values",
    "held_return": "Return of the data, held-out families",
    "held_value": "Value on held-out families, by fitted-Q evaluation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture of the training."""

    title: str
    names: Sequence[str]  # of its lines, in the order of their colours
    figure: Markup


def list_(state: AppState, store: Store, request: PageRequest) -> Page:
    """All trainings, the latest first."""
    page = request.integer("page", low=1, high=1_000_000, default=1)
    trainings = state.cached("trainings", store.training_runs)[::-1]
    return Page(
        template="train_list.html",
        title="Training",
        values={
            "rows": trainings[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
            "page": page,
            "more": len(trainings) > page * PAGE_SIZE,
        },
    )


def show(state: AppState, store: Store, request: PageRequest) -> Page:
    """One training: losses, values against returns, coverage, settings."""
    name = request.path_part("name")
    trainings = state.cached("trainings", store.training_runs)
    training = next((record for record in trainings if record.name == name), None)
    if training is None:
        raise PageNotFound(f"no training {name!r}")
    steps = state.cached(("steps", name), lambda: store.training_steps(name))
    return Page(
        template="train_show.html",
        title=training.name,
        values={
            "training": training,
            "charts": charts(steps),
            "final": final_metrics(training),
            "coverage": training.metrics.get("coverage"),
            "policy": training.metrics.get("policy"),
            "histograms": histograms(training),
            "settings": pretty_json(training.settings),
            "data": pretty_json(training.data),
        },
    )


def charts(steps: Sequence[TrainingStep]) -> list[Chart]:
    """A chart for each metric, learned and held out together; values and returns on one."""
    points: dict[str, list[tuple[float, float]]] = {}
    for step in steps:
        points.setdefault(step.metric, []).append((step.step, step.value))
    drawn_charts = [
        chart
        for prefix in ("", HELD_OUT)
        if (chart := _values_and_returns(points, prefix)) is not None
    ]
    bases = list(dict.fromkeys(name.removeprefix(HELD_OUT) for name in points))
    titled = [name for name in METRIC_TITLES if name.removeprefix(HELD_OUT) in bases]
    for base in dict.fromkeys([*(name.removeprefix(HELD_OUT) for name in titled), *bases]):
        names = [name for name in (base, HELD_OUT + base) if name in points]
        if base == "mean_return" or not names:
            continue
        title = (
            METRIC_TITLES.get(base) or METRIC_TITLES.get(HELD_OUT + base) or base.replace("_", " ")
        )
        lines = [Series(name=_metric_name(name), points=points[name]) for name in names]
        label = f"{title} by step; {'; '.join(_last_value_text(line) for line in lines)}"
        mark = 0.0 if base in ZERO_REFERENCED else None
        drawn_charts.append(
            Chart(title=title, names=_legend(lines), figure=draw_curves(lines, label, mark=mark))
        )
    return sorted(drawn_charts, key=lambda chart: not chart.title.startswith("Loss"))


def _values_and_returns(
    points: Mapping[str, list[tuple[float, float]]], prefix: str
) -> Chart | None:
    """The mean value of the data's actions beside their mean Monte-Carlo return."""
    bias, returns = (dict(points.get(prefix + name, ())) for name in ("q_bias", "mean_return"))
    shared = [step for step in bias if step in returns]
    if not shared:
        return None
    lines = [
        Series(name="mean value", points=[(step, bias[step] + returns[step]) for step in shared]),
        Series(name="mean return", points=[(step, returns[step]) for step in shared]),
    ]
    title = "Values against returns" + (", held-out families" if prefix else "")
    label = f"{title} by step; {'; '.join(_last_value_text(line) for line in lines)}"
    return Chart(title=title, names=_legend(lines), figure=draw_curves(lines, label))


def _metric_name(metric: str) -> str:
    return "held out" if metric.startswith(HELD_OUT) else "learned from"


def _legend(lines: Sequence[Series]) -> list[str]:
    return [line.name for line in lines] if len(lines) > 1 or lines[0].name == "held out" else []


def _last_value_text(line: Series) -> str:
    return (
        f"{line.name} {format_number(line.points[-1][1], 4)} at the last step"
        if line.points
        else line.name
    )


def final_metrics(training: TrainingRecord) -> list[tuple[str, float]]:
    """What it came to: the numbers among its metrics."""
    return [
        (name.replace("_", " "), float(value))
        for name, value in training.metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def histograms(training: TrainingRecord) -> list[tuple[str, Markup]]:
    """How rewards and scores are spread, where that is known."""
    coverage = training.metrics.get("coverage")
    if not isinstance(coverage, Mapping):
        return []
    return [
        (title, draw_histogram(spread["counts"], spread["edges"], _histogram_label(title, spread)))
        for key, title in (("rewards", "Rewards of utterances"), ("scores", "Scores of seats"))
        if isinstance(spread := coverage.get(key), Mapping)
    ]


def _histogram_label(title: str, spread: Mapping[str, Any]) -> str:
    low, high = spread["edges"][0], spread["edges"][-1]
    return (
        f"{title}: mean {format_number(spread['mean'], 3)}, standard deviation"
        f" {format_number(spread['sd'], 3)}, {low:.3g} to {high:.3g}"
    )


def pretty_json(data: Mapping[str, Any]) -> str:
    """JSON data for people."""
    return json.dumps(data, indent=1, ensure_ascii=False)
