"""Rubrics: YAML in, a core Rubric out. Shipped by name (`sotopia`), or any file; and the rubric
that a scenario brings along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Dimension, Rubric
from simworld.core.scenario import Scenario
from simworld.yamlfile import (
    Document,
    YamlPath,
    did_you_mean,
    did_you_mean_file,
    join_with_and,
    load_text,
    load_yaml,
    parse,
    shorten,
)

DEFAULT_RUBRIC = "sotopia"
# what a question or a statement may name, each of the judged seat
RUBRIC_SLOTS = ("name", "goal", "knows", "secret")
SUFFIXES = (".yaml", ".yml")

_RUBRICS_FOLDER = Path(__file__).parent / "rubrics"
_SLOT = re.compile(r"\{(\w+)\}")


class Opposed(BaseModel):
    """Two statements about one seat, of which a better outcome makes `high` and a worse one `low`
    the likelier.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    high: str = Field(min_length=1)
    low: str = Field(min_length=1)


class DimensionFile(BaseModel):
    """One dimension as written in a rubric file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="small letters, digits and _")
    range: tuple[FiniteFloat, FiniteFloat] = Field(description="the worst and the best score")
    question: str = Field(
        min_length=1, description="asked about one seat; {name} stands for its name"
    )
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    statements: tuple[Opposed, ...] = Field(
        default=(), description="opposed statements, for judges that read log-odds"
    )


class RubricFile(BaseModel):
    """A rubric file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str = ""
    dimensions: tuple[DimensionFile, ...] = Field(min_length=1)

    def to_rubric(self) -> Rubric:
        """The rubric, without its title."""
        return Rubric(
            name=self.name,
            dimensions=tuple(
                Dimension(
                    name=d.name,
                    low=d.range[0],
                    high=d.range[1],
                    question=" ".join(d.question.split()),
                    weight=d.weight,
                    high_statements=tuple(" ".join(s.high.split()) for s in d.statements),
                    low_statements=tuple(" ".join(s.low.split()) for s in d.statements),
                )
                for d in self.dimensions
            ),
        )


def rubric_names() -> tuple[str, ...]:
    """The names of the shipped rubrics, sorted."""
    return tuple(sorted(path.stem for path in _RUBRICS_FOLDER.glob("*.yaml")))


def scenario_rubric(scenario: Scenario) -> Rubric:
    """The rubric that a scenario is judged by: the one that was read with it, else the one that it
    names.

    Raises:
        InputError: the scenario was stored without its rubric, and there is no such file now.
    """
    return scenario.own_rubric or load_rubric(scenario.rubric or DEFAULT_RUBRIC)


def load_custom_rubric(name: str, beside: Path) -> Rubric | None:
    """The rubric that a scenario file in the folder `beside` names, or None for a shipped one,
    which needs no file.

    Raises:
        InputError: as `load_rubric`.
    """
    return None if name in rubric_names() else load_rubric(name, beside=beside)


def load_rubric(name: str, *, beside: Path | None = None) -> Rubric:
    """The rubric of a shipped name or a file.

    A relative path is tried in the folder `beside`, then in the working folder, then among the
    shipped rubrics.

    Raises:
        InputError: there is no such rubric, or its file is wrong; every problem with its place.
    """
    if name in rubric_names():
        return _build_rubric(
            load_text((_RUBRICS_FOLDER / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
        )
    if not name.endswith(SUFFIXES):
        hint = _hint(name, beside)
        raise InputError(
            f"no rubric named {shorten(name)!r}{hint} (a rubric of your own is named by its .yaml"
            " file)"
        )
    candidates = [folder / name for folder in (beside, Path()) if folder is not None]
    for path in (*candidates, _RUBRICS_FOLDER / name):
        if os.path.isfile(path):  # Path.is_file raises for a name that is too long
            return _build_rubric(load_yaml(path))
    searched = dict.fromkeys(str(place.parent) for place in candidates)
    hint = _hint(name, beside)
    raise InputError(f"no rubric file {shorten(name)}; looked in {', '.join(searched)}{hint}")


def _hint(name: str, beside: Path | None) -> str:
    """What may have been meant, else which rubrics there are."""
    return did_you_mean_file(name, "rubrics", beside=beside or Path(), known=rubric_names()) or (
        f"; with simworld comes {join_with_and(rubric_names())}, and"
        " `simworld rubric new NAME` writes one of your own"
    )


def _build_rubric(document: Document) -> Rubric:
    file = parse(document, RubricFile)
    problems: list[Problem] = []
    seen_names: set[str] = set()
    for i, dimension in enumerate(file.dimensions):
        if dimension.name in seen_names:
            problems.append(
                document.problem(
                    ("dimensions", i, "name"), f"a second dimension {dimension.name!r}"
                )
            )
        seen_names.add(dimension.name)
        low, high = dimension.range
        if not low < high:
            message = (
                f"found [{low:g}, {high:g}], expected the lower end first and a higher one after it"
            )
            problems.append(document.problem(("dimensions", i, "range"), message))
        texts: dict[YamlPath, str] = {("dimensions", i, "question"): dimension.question}
        for j, opposed in enumerate(dimension.statements):
            texts |= {
                ("dimensions", i, "statements", j, "high"): opposed.high,
                ("dimensions", i, "statements", j, "low"): opposed.low,
            }
        for loc, text in texts.items():
            if message := slot_problem(text):
                problems.append(document.problem(loc, message))
    if problems:
        raise InputError(problems)
    return file.to_rubric()


def slots_in(text: str) -> set[str]:
    """The slots that a question or statement names: `{goal}` → goal."""
    return set(_SLOT.findall(text))


def fill_slots(text: str, values: Mapping[str, str]) -> str:
    """The text with each slot replaced by its value; a value's own braces stay as they are."""
    return _SLOT.sub(lambda match: values[match[1]], text)


def slot_problem(text: str) -> str:
    """What is wrong with the slots of a text; empty if nothing is."""
    unknown = slots_in(text) - set(RUBRIC_SLOTS)
    if not unknown:
        return ""
    name = min(unknown)
    hint = (
        did_you_mean(name, RUBRIC_SLOTS)
        or f"; known are {', '.join(f'{{{slot}}}' for slot in RUBRIC_SLOTS)}"
    )
    return f"unknown slot {{{name}}}{hint}"
