"""Two people at a market."""

from __future__ import annotations

from simworld.core.scenario import Limits, Persona, Scenario, Seat


def scenario(name: str, *, family: str = "", turns: int | None = None) -> Scenario:
    """A seller and a buyer of something; of the thing's own family unless one is named."""
    seats = (
        Seat(name="seller", persona=Persona(name="Ann Lee"), goal=f"Sell the {name}."),
        Seat(name="buyer", persona=Persona(name="Bob Ray"), goal="Buy it."),
    )
    limits = Limits() if turns is None else Limits(turns=turns)
    return Scenario(
        name=name, setting=f"A {name}.", seats=seats, family=family or name, limits=limits
    )
