"""Measures of how a seat played that need no judge: one table, named in `evaluate.measures`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, field_validator

from simworld.core.episode import Act, Episode
from simworld.core.errors import InputError, SimworldError
from simworld.core.scenario import Scenario
from simworld.extensions import (
    ExtensionTable,
    NoSettings,
    check_pin,
    check_settings,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.extensions.extension_table import one_line
from simworld.results.language_quality import repeat_flags, spoken_acts, spoken_words

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedSeat:
    """What one seat did in an episode that ended."""

    scenario: Scenario
    episode: Episode
    seat: str

    @property
    def acts(self) -> tuple[Act, ...]:
        """Its own acts, in order."""
        return tuple(act for act in self.episode.acts if act.seat == self.seat)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureKind(Generic[S]):
    """A measure of how a seat played: what an entry point of `simworld.measures` is."""

    settings: type[S]
    measure: Callable[[S, PlayedSeat], float | None]  # None: there is nothing to measure


def _words(settings: NoSettings, played: PlayedSeat) -> float | None:
    """Per utterance."""
    said = spoken_words([(played.episode, played.seat)])
    return sum(map(len, said)) / len(said) if said else None


def _questions(settings: NoSettings, played: PlayedSeat) -> float | None:
    """The share of its utterances that hold a question mark."""
    spoken = spoken_acts([(played.episode, played.seat)])
    asking = [any(mark in act.action.text for mark in "?？؟") for act in spoken]
    return sum(asking) / len(asking) if asking else None


def _repeats(settings: NoSettings, played: PlayedSeat) -> float | None:
    """The share of its utterances that repeat an earlier line of the episode."""
    flags = repeat_flags(played.episode, played.seat)
    return sum(flags) / len(flags) if flags else None


SEAT_MEASURES: ExtensionTable[MeasureKind[Any]] = ExtensionTable(
    group="simworld.measures",
    what="measure",
    declaration=MeasureKind,
    builtin={
        "words": MeasureKind(settings=NoSettings, measure=_words),
        "questions": MeasureKind(settings=NoSettings, measure=_questions),
        "repeats": MeasureKind(settings=NoSettings, measure=_repeats),
    },
)


def _measures() -> ExtensionTable[Any]:
    return SEAT_MEASURES


class MeasureSpec(BaseModel):
    """A measure, and its settings where it is an extension's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Annotated[str, *extension_name(_measures, SEAT_MEASURES.builtin)]
    settings: Any = settings_field()
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(check_settings(_measures, "measure"))
    _pin = field_validator("extension")(check_pin(_measures, "measure"))


def check_distinct(specs: Sequence[MeasureSpec]) -> None:
    """Raises ValueError where two measures have one name, under which results show them."""
    names = [spec.measure for spec in specs]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two measures are named {doubled[0]!r}")


def measure_seat(specs: Iterable[MeasureSpec], played: PlayedSeat) -> dict[str, float]:
    """Measure → what it is of a seat; those that have nothing to measure are left out.

    Raises InputError where an extension fails, or gives no finite number.
    """
    values: dict[str, float] = {}
    for spec in specs:
        entry = SEAT_MEASURES.find(spec.measure)
        where = f"measure {entry.name!r} of {entry.source}"
        settings = spec.settings if entry.identity else NoSettings()
        try:
            value = entry.declaration.measure(settings, played)
        except SimworldError:
            raise
        except Exception as error:  # the boundary of another package's own code
            raise InputError(f"{where} failed: {one_line(error)}") from None
        if value is None:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{where}: expected a finite number or None, found {value!r}")
        values[spec.measure] = float(value)
    return values
