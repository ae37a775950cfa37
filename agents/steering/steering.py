"""Steering of an LM agent: it requests the dialogue's state, plans an action vector, and turns it
into a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agents.steering.act_plan import ActPlan
from agents.steering.blind import draw_blind_action
from agents.steering.checkpoint import Checkpoint
from agents.steering.exploration import Exploration
from agents.steering.state_encoders import StateEncoder
from agents.steering.upmap import UpMap
from simworld.core.episode import Observation, PlanStep
from simworld.core.errors import Failure, model_failure
from simworld.core.requests import Encode, Encoded, Position, Prefix, Prompt


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """A planner in use: where its prefix goes, how strong it is, and how it explores."""

    checkpoint: Checkpoint
    planner_id: str  # of the checkpoint
    upmap: UpMap  # the checkpoint's, with the act_norm in use
    position: Position
    exploration: Exploration | None = None

    def choose_action(self, observation: Observation, state: Tensor) -> Tensor:
        """(d',) float32 for a raw state (d_s,) float32."""
        checkpoint, exploration = self.checkpoint, self.exploration
        if exploration is None:
            return self._plan_action(observation, state)
        needs_planner = exploration.kind.needs_planner
        planned = self._plan_action(observation, state) if needs_planner else None
        return exploration.explore_action(
            observation, planned, checkpoint.info.d_action, checkpoint.projection
        )

    def _plan_action(self, observation: Observation, state: Tensor) -> Tensor:
        if self.checkpoint.blind is not None:
            return draw_blind_action(self.checkpoint.blind, observation, state)
        return self.checkpoint.choose_actions(state[None])[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steering:
    """States with a policy, or states alone where they are only recorded.

    One state at a time, on the CPU in float32: what is planned does not depend on who else plays.
    """

    encoder: StateEncoder
    policy: Policy | None = None
    warnings: tuple[str, ...] = ()  # for people: what fits, but not quite

    def state_request(self, prompt: Prompt, thread: str) -> Encode | None:
        """What to ask for before the reply to this prompt; None if nothing.

        Before the header the prompt is the same with and without a prefix at `end`, so there the
        reply's own thread has read it already. A prefix further up would be read with it, so the
        state gets an unsteered thread of its own.
        """
        if self.policy is not None and self.policy.position != "end":
            thread = f"{thread}/state"
        return self.encoder.state_request(prompt, thread)

    def plan_act(self, observation: Observation, answer: Encoded | None) -> ActPlan | Failure:
        """The vectors of this act, raw, and the prefix for its reply; a Failure where the state
        holds no usable numbers.
        """
        state = self.encoder.make_state(observation, answer)
        if not np.isfinite(state).all():
            return model_failure("not-finite", "the state holds numbers that are not finite")
        if self.policy is None:
            return ActPlan(step=PlanStep(state=state, action=None, encoder_id=self.encoder.id))
        with torch.no_grad():
            action = self.policy.choose_action(observation, torch.from_numpy(state))
            prefix = self.policy.upmap(action[None])[0]
        step = PlanStep(
            state=state,
            action=action.numpy().copy(),
            encoder_id=self.encoder.id,
            planner_id=self.policy.planner_id,
            noisy=self.policy.exploration is not None,
        )
        return ActPlan(
            step=step,
            prefix=Prefix(position=self.policy.position, embeddings=prefix.numpy().copy()),
        )
