"""One seat's measures by one judge: dimensions, their weighted mean, Sotopia's plain mean."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OVERALL = "overall"  # the rubric's dimensions, each rescaled to [0, 1], weighted and averaged
SOTOPIA = "sotopia"  # the rubric whose plain mean is reported too
# of its seven dimensions, each in its own range, as Sotopia reports it
SOTOPIA_MEAN = "sotopia_mean"

# dimension → score, and score as a share of its range
DimensionScores = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleMean:
    """The mean of one measure of one seat over the samples that have it."""

    mean: float
    squared_deviations: float  # of the samples from the mean, summed
    samples: int


def rubric_json_of(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The rubric in a judge's stored spec, as JSON data; None where none weighs its dimensions."""
    rubric = spec.get("rubric")
    if not isinstance(rubric, Mapping) or "name" not in rubric:
        return None
    dimensions = rubric.get("dimensions", ())
    return rubric if dimensions and all("name" in d and "weight" in d for d in dimensions) else None


def measures_of_rubric(rubric: Mapping[str, Any]) -> tuple[str, ...]:
    """The measures that a rubric (JSON data) gives: `overall`, Sotopia's mean, its dimensions."""
    first = (OVERALL, SOTOPIA_MEAN) if rubric["name"] == SOTOPIA else (OVERALL,)
    return (*first, *(str(d["name"]) for d in rubric["dimensions"]))


def measure_names_by_judge(rubrics: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Judge id → the names of its measures, as `measures_of_rubric`; with several rubrics,
    dimensions are named with theirs.

    Args:
        rubrics: judge id → its rubric as JSON data.
    """
    several = len({rubric["id"] for rubric in rubrics.values()}) > 1
    return {
        id_: [
            f"{rubric['name']}/{name}" if several and name not in (OVERALL, SOTOPIA_MEAN) else name
            for name in measures_of_rubric(rubric)
        ]
        for id_, rubric in rubrics.items()
    }


def sotopia_scale(rubric: Mapping[str, Any]) -> tuple[float, float]:
    """The ends of `sotopia_mean`'s scale: the mean ends of the rubric's dimensions."""
    dimensions = rubric["dimensions"]
    low, high = (math.fsum(d[end] for d in dimensions) / len(dimensions) for end in ("low", "high"))
    return low, high


def weighted_mean(shares: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted mean of rescaled dimensions; a dimension without a weight does not count.

    Raises:
        KeyError: a dimension with a weight was not judged.
        ValueError: the weights of all dimensions sum to 0.
    """
    total = math.fsum(weights.values())
    if not total > 0:
        raise ValueError("the weights of the dimensions sum to 0")
    return math.fsum(shares[name] * weight for name, weight in weights.items() if weight) / total


def average_samples(
    samples: Iterable[DimensionScores], rubric: Mapping[str, Any]
) -> dict[str, SampleMean]:
    """Measure → what a seat got: dimensions and `overall` as shares of their range, `sotopia_mean`
    raw.

    A sample without all dimensions that have a weight has no `overall`, one without all dimensions
    no `sotopia_mean`; what no sample has is left out. The order of samples and dimensions does not
    matter.

    Args:
        samples: of one judge of one seat.
        rubric: of that judge, as JSON data; what it does not name is passed over.
    """
    weights = {str(d["name"]): float(d["weight"]) for d in rubric["dimensions"]}
    weighted_dimensions = [name for name, weight in weights.items() if weight]
    samples_of: dict[str, list[float]] = defaultdict(list)
    for scores in samples:
        shares = {name: scores[name][1] for name in weights if name in scores}
        for name, share in shares.items():
            samples_of[name].append(share)
        if weighted_dimensions and all(name in shares for name in weighted_dimensions):
            samples_of[OVERALL].append(weighted_mean(shares, weights))
        if rubric["name"] == SOTOPIA and len(shares) == len(weights):
            samples_of[SOTOPIA_MEAN].append(
                math.fsum(scores[name][0] for name in weights) / len(weights)
            )
    return {name: _sample_mean(values) for name, values in samples_of.items()}


def _sample_mean(values: list[float]) -> SampleMean:
    if len(values) == 1:
        return SampleMean(mean=values[0], squared_deviations=0.0, samples=1)
    mean = math.fsum(values) / len(values)
    return SampleMean(
        mean=mean,
        squared_deviations=math.fsum((value - mean) ** 2 for value in values),
        samples=len(values),
    )
