"""Pendulum-v1 for comparing learners: data of a noisy controller, and what a policy returns. For
the test and its reference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from simworld.training.data.transitions import Transitions

EPISODES, LENGTH, STARTS = 100, 200, 20
TORQUE = 2.0  # of an action of 1
Floats = NDArray[np.float32]


def controller(th: float, speed: float, rng: np.random.Generator) -> float:
    """Pumps energy until the pole is up, then holds it with a weak spring; noisy, and now and then
    quite random. In [-1, 1]."""
    if rng.random() < 0.2:
        return float(rng.uniform(-1, 1))
    angle = (th + np.pi) % (2 * np.pi) - np.pi
    energy = speed**2 / 6 + 5 * np.cos(angle)
    torque = -4 * angle - speed if abs(angle) < 0.6 else 0.3 * (5 - energy) * np.sign(speed)
    return float(np.clip(torque / TORQUE + rng.normal(0, 0.4), -1, 1))


def collect(seed: int = 7) -> Transitions:
    """20,000 transitions in 100 episodes, all cut by the time limit.

    States and rewards are rounded at every step, so that processors whose sines differ in the last
    bit make the same data.
    """
    rng = np.random.default_rng(seed)
    states, actions, rewards = [], [], []
    for episode in range(EPISODES):
        env = _env()
        env.reset(seed=seed * 1000 + episode)
        truncated = False
        while not truncated:
            _steady(env)
            states.append(_seen(env))
            th, speed = env.unwrapped.state
            actions.append([np.float32(round(controller(th, speed, rng), 5))])
            _, reward, terminated, truncated, _ = env.step(np.array(actions[-1]) * TORQUE)
            assert not terminated
            rewards.append(np.float32(round(float(reward), 5)))
        _steady(env)
        states.append(_seen(env))
    index = np.arange(EPISODES * LENGTH)
    episode_of = index // LENGTH
    names = [f"episode {number}" for number in range(EPISODES)]
    return Transitions(
        states=np.array(states, np.float32),
        actions=np.array(actions, np.float32),
        rewards=np.array(rewards, np.float32),
        state_rows=index + episode_of,
        next_state_rows=index + episode_of + 1,
        terminals=np.zeros(len(index), bool),
        episode_index=episode_of,
        turns=index % LENGTH,
        family_index=episode_of,
        episode_names=names,
        family_names=names,
    )


def sha256(data: Transitions) -> str:
    return hashlib.sha256(
        data.states.tobytes() + data.actions.tobytes() + data.rewards.tobytes()
    ).hexdigest()


def mean_return(policy: Callable[[Floats], Floats]) -> float:
    """The mean undiscounted return from 20 fixed starts; the policy gets raw states (20, 3) and
    gives actions (20, 1)."""
    envs = [_env() for _ in range(STARTS)]
    for number, env in enumerate(envs):
        env.reset(seed=number)
    total = 0.0
    for _ in range(LENGTH):
        actions = policy(np.array([_seen(env) for env in envs], np.float32))
        total += sum(
            float(env.step(np.clip(a, -1, 1) * TORQUE)[1])
            for env, a in zip(envs, actions, strict=True)
        )
    return total / STARTS


def _env() -> Any:
    return gymnasium.make("Pendulum-v1", disable_env_checker=True)


def _steady(env: Any) -> None:
    env.unwrapped.state = np.round(env.unwrapped.state, 6)


def _seen(env: Any) -> Floats:
    th, speed = env.unwrapped.state
    return np.round(np.array([np.cos(th), np.sin(th), speed], np.float64), 5).astype(np.float32)
