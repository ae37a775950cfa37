"""What a scenario is called on a page: its title, with what tells it from others of the same
title.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol


class TitledScenario(Protocol):
    """A scenario, or a line of a list of them."""

    @property
    def id(self) -> str:
        """Of the scenario."""

    @property
    def name(self) -> str:
        """Of the file, and after a dot the values of a variant's parameters."""

    @property
    def title(self) -> str:
        """For people; may be empty."""


def scenario_title(scenario: TitledScenario) -> str:
    """The title, or the name; of a variant with its parameters, for all variants of a file have one
    title.
    """
    _, *parameters = scenario.name.split(".")
    if not scenario.title:
        return scenario.name
    values = ", ".join(parameter.replace("-", " ") for parameter in parameters)
    return f"{scenario.title} ({values})" if values else scenario.title


def scenario_titles(scenarios: Iterable[TitledScenario]) -> dict[str, str]:
    """Scenario id → what it is called among these: where two have one title, with the name, and if
    need be the id.
    """
    by_id = {scenario.id: scenario for scenario in scenarios}
    titles = {id_: scenario_title(scenario) for id_, scenario in by_id.items()}
    for disambiguate in (lambda id_: by_id[id_].name, lambda id_: id_[:11]):
        counts = Counter(titles.values())
        titles = {
            id_: f"{title}, {disambiguate(id_)}" if counts[title] > 1 else title
            for id_, title in titles.items()
        }
    return titles
