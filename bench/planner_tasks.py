"""Three tasks for learners, whose best planners are known.

Seats with four acts each, in families whose states differ. States have 65 numbers: noise, what is
common to the family, one situation number along a direction of its own, and the share of turns
left. Actions have 8, anywhere on the sphere. Rewards come act by act and are mostly luck.

- `inside`: an act brings a · w(s); w is a fixed direction and, with the sign of the situation,
  another one. The situation moves the state further than anything else: it is a leading principal
  component of the states.
- `outside`: the same, and the situation moves the state no further than each of the other 63
  directions does.
- `later`: an act brings a · thanks times x, where x is 0 at first and then 1 + the last a · ask,
  and is the situation. Asking pays nothing by itself, so only with γ > 0 there is a reason to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint, CheckpointInfo, EncoderInfo
from agents.steering.upmap import UpMap
from simworld.training.data.transitions import Transitions

Floats = NDArray[np.float64]
STATE, ACTION, ACTS, FAMILIES = 65, 8, 4, 30
TASKS = ("inside", "outside", "later")
LONGEST = ACTION**0.5  # of an action, and so of its product with a direction of length 1
# how far the situation moves the state; noise has 1 in each direction, families about 1.8 in theirs
SPREAD = {"inside": 4.0, "outside": 1.0, "later": 4.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a task is made of; directions have the length 1."""

    task: str
    first: Floats  # (d',), pays always, or is `thanks`
    second: Floats  # (d',), at right angles; pays by the sign of the situation, or is `ask`
    along: Floats  # (64,), of the situation
    of_family: Floats  # (families, 64)

    def states(self, situation: Floats, family: NDArray[np.int64], turn: int,
               rng: np.random.Generator) -> NDArray[np.float32]:  # fmt: skip
        """States (n, 65) of seats at one of their acts."""
        states = rng.normal(size=(len(family), STATE - 1)) + self.of_family[family]
        moved = SPREAD[self.task] * situation - states @ self.along
        states += moved[:, None] * self.along
        left = np.full((len(family), 1), 1 - turn / ACTS)
        return np.hstack((states, left)).astype(np.float32)

    def reward(self, situation: Floats, actions: Floats) -> Floats:
        """What acts bring, without luck, (n,)."""
        first, second = actions @ self.first, actions @ self.second
        if self.task == "later":
            return np.asarray(first * situation)
        return np.asarray((first + np.sign(situation) * second) / 2**0.5)

    def play(
        self,
        seats: int,
        choose: Callable[[NDArray[np.float32]], Floats],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], Floats, Floats]:
        """Gives states (seats, 4, 65), actions (seats, 4, 8) and rewards (seats, 4) of seats that
        act as `choose` says of their states.
        """
        family = np.arange(seats) % FAMILIES
        states: list[NDArray[np.float32]] = []
        actions: list[Floats] = []
        rewards: list[Floats] = []
        situation = np.zeros(seats)
        for turn in range(ACTS):
            if self.task != "later":
                situation = rng.normal(size=seats)
            elif turn:
                situation = 1 + actions[-1] @ self.second
            states.append(self.states(situation, family, turn, rng))
            actions.append(choose(states[-1]))
            rewards.append(self.reward(situation, actions[-1]))
        return np.stack(states, 1), np.stack(actions, 1), np.stack(rewards, 1)

    def best(self) -> float:
        """What the best planner brings in an episode."""
        if self.task != "later":
            return float(ACTS * LONGEST)
        # thanks and ask share the length of an action; by its angle, backwards over the turns: what
        # comes is linear in x, so it is worth (gain of thanks) · x + (what the ask brings later)
        angles = np.linspace(0, np.pi / 2, 2001)
        thanks, ask = LONGEST * np.sin(angles), LONGEST * np.cos(angles)
        xs = np.linspace(0, 1 + LONGEST, 2001)
        value = np.zeros(len(xs))
        for _ in range(ACTS):
            after = np.interp(1 + ask, xs, value)
            value = np.array([(thanks * x + after).max() for x in xs])
        return float(value[0])


def new_world(task: str, rng: np.random.Generator) -> World:
    """Draws the directions of a task."""
    first, second = np.linalg.qr(rng.normal(size=(ACTION, 2)))[0].T
    along = rng.normal(size=STATE - 1)
    return World(
        task=task,
        first=first,
        second=second,
        along=along / np.linalg.norm(along),
        of_family=rng.normal(size=(FAMILIES, STATE - 1)),
    )


def collect(world: World, seats: int, noise: float, rng: np.random.Generator) -> Transitions:
    """Transitions of seats that try any direction; `noise` is luck's deviation, in those of an
    act's product with a direction.
    """

    def any_direction(states: NDArray[np.float32]) -> Floats:
        drawn = rng.normal(size=(len(states), ACTION))
        return np.asarray(drawn * LONGEST / np.linalg.norm(drawn, axis=1, keepdims=True))

    states, actions, rewards = world.play(seats, any_direction, rng)
    n = seats * ACTS
    lucky = rewards.reshape(n) + noise * rng.normal(size=n)
    last = np.arange(n) % ACTS == ACTS - 1
    return Transitions(
        states=states.reshape(n, STATE),
        actions=actions.reshape(n, ACTION).astype(np.float32),
        rewards=lucky.astype(np.float32),
        state_rows=np.arange(n),
        next_state_rows=np.where(last, np.arange(n), np.arange(n) + 1),
        terminals=last,
        episode_index=np.repeat(np.arange(seats), ACTS),
        turns=np.arange(n) % ACTS,
        family_index=np.repeat(np.arange(seats) % FAMILIES, ACTS),
        episode_names=[f"e{i}" for i in range(seats)],
        family_names=[f"f{i}" for i in range(FAMILIES)],
    )


def share_of_best(world: World, planner: Checkpoint, rng: np.random.Generator) -> float:
    """What a planner brings in 2,048 new episodes, as a share of what the best one does."""

    def choose(states: NDArray[np.float32]) -> Floats:
        with torch.no_grad():
            return planner.choose_actions(torch.from_numpy(states)).double().numpy()

    _, _, rewards = world.play(2048, choose, rng)
    return float(rewards.sum(1).mean()) / world.best()


def bare_checkpoint() -> Checkpoint:
    """An up-mapping for actions of a task, which nothing is played with."""
    info = CheckpointInfo(
        lm_id="none",
        lm_spec="hf:none",
        dtype="float32",
        width=4,
        position="end",
        encoder=EncoderInfo(kind="text", id="task", model="hf:none"),
        d_state=STATE,
        d_action=ACTION,
        tokens=2,
        act_norm=1.0,
        embedding_norm=1.0,
        upmap="pca",
    )
    weight = torch.eye(ACTION, 8)
    return Checkpoint(
        info=info,
        upmap=UpMap(weight, tokens=2, act_norm=1.0, embedding_norm=1.0),
        mean=torch.zeros(STATE),
        std=torch.ones(STATE),
    )
