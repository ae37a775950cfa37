"""The boundary around a learner of another package: what it does wrong is one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor

from agents.steering.planner import Actor
from simworld.core.errors import InputError, SimworldError
from simworld.extensions.extension_table import one_line
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.learner import Learner
from simworld.training.rl.networks import Critic

R = TypeVar("R")


class ExtensionLearner:
    """A Learner in front of another package's."""

    def __init__(self, make: Callable[[], Learner], where: str) -> None:
        """Makes it; `where` names it in messages. Raises InputError, here and in all that follows,
        for what it does wrong.
        """
        self._where = where
        self._learner = self._call("could not be made", make)
        actor = self._call("has no actor", lambda: self._learner.actor)
        if not isinstance(actor, Actor):
            raise InputError(f"{where}: its actor is {type(actor).__name__}; expected an Actor")
        self.actor = actor

    @property
    def critic(self) -> Critic | None:
        """Its value estimate, where it has one."""
        critic = getattr(self._learner, "critic", None)
        return critic if isinstance(critic, Critic) else None

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """One step of it."""
        metrics = self._call("failed in `update`", lambda: self._learner.update(batch))
        for name, value in dict(metrics).items():
            if not isinstance(value, Tensor) or value.numel() != 1:
                raise InputError(
                    f"{self._where}: `update` gave {name} as {type(value).__name__}; expected a"
                    " tensor of one number"
                )
        return {name: value.detach() for name, value in metrics.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """All that its later updates depend on."""
        return dict(self._call("failed in `state_dict`", self._learner.state_dict))

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a state."""
        self._call("failed in `load_state_dict`", lambda: self._learner.load_state_dict(state))

    def _call(self, what: str, function: Callable[[], R]) -> R:
        try:
            return function()
        except SimworldError:
            raise
        except Exception as error:  # the boundary of another package's own code
            raise InputError(f"{self._where} {what}: {one_line(error)}") from None
