"""The best constant action, on rewards whose best direction is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from agents.steering.checkpoint import load_checkpoint, save_checkpoint
from simworld.cli.train.constant import constant
from simworld.core.errors import InputError
from simworld.training.data.transitions import Transitions
from simworld.training.rl.best_constant import best_constant
from tests.factories.steered_runs import new_store, play, scenario, step
from tests.simworld.training.rl.test_train_planner import start

WANTED = np.array([3.0, -4.0, 0.0]) / 5


def data(
    rewards: str, *, episodes: int = 60, acts: int = 4, noise: float = 0.0, seed: int = 0
) -> Transitions:
    """Random actions on the sphere; an act is worth its product with WANTED, and families differ by
    ten times as much."""
    draw = np.random.default_rng(seed)
    n = episodes * acts
    actions = draw.normal(size=(n, 3))
    actions *= 3**0.5 / np.linalg.norm(actions, axis=1, keepdims=True)
    episode = np.repeat(np.arange(episodes), acts)
    family = episode % 5
    worth = actions @ WANTED + 10.0 * family + noise * draw.normal(size=n)
    terminal = np.arange(n) % acts == acts - 1
    placed: NDArray[np.float64] = worth / acts
    if rewards == "end":
        placed = np.where(terminal, np.repeat(worth.reshape(-1, acts).mean(1), acts), 0.0)
    return Transitions(
        states=np.zeros((n, 2), dtype=np.float32),
        actions=actions.astype(np.float32),
        rewards=placed.astype(np.float32),
        state_rows=np.arange(n),
        next_state_rows=np.where(terminal, np.arange(n), np.arange(n) + 1),
        terminals=terminal,
        episode_index=episode,
        turns=np.arange(n) % acts,
        family_index=family,
        episode_names=[f"e{i}" for i in range(episodes)],
        family_names=[f"f{i}" for i in range(5)],
    )


@pytest.mark.parametrize(
    ("rewards", "by_act"), [("utterance", True), ("utterance", False), ("end", False)]
)
def test_the_direction_that_pays_is_found(rewards: str, by_act: bool) -> None:
    found = best_constant(data(rewards), by_act=by_act)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(3**0.5)
    assert found @ WANTED / 3**0.5 > 0.999


def test_under_noise_it_is_near() -> None:
    found = best_constant(data("end", episodes=400, noise=0.5), by_act=False)
    assert found @ WANTED / 3**0.5 > 0.95


def test_one_episode_per_family_leaves_nothing_to_compare() -> None:
    made = data("utterance")
    with pytest.raises(InputError, match="more than one episode per family"):
        best_constant(made.select(np.flatnonzero(made.episode_index < 5)), by_act=False)


def test_one_action_teaches_nothing() -> None:
    made = data("end")
    made.actions[:] = made.actions[0]
    with pytest.raises(InputError, match="the same action"):
        best_constant(made, by_act=False)


def test_the_command_finds_it_in_the_store(tmp_path: Path) -> None:
    """Who says please does so along the first direction."""
    with new_store(tmp_path) as store:
        for number in range(12):
            side = 1 if number % 2 else -1
            plans = {turn: step(turn, action=[side, (-1) ** (number // 2)]) for turn in (0, 2)}
            lines = [
                "please" if number % 2 else "give",
                "no",
                "please" if number % 2 else "go",
                "yes",
            ]
            play(store, scenario(f"thing {number // 4}"), lines, repeat=number, plans=plans)
    save_checkpoint(tmp_path / "clone", start(actor=True, d_action=2))
    given = [
        "--db",
        f"sqlite:///{tmp_path / 'world.db'}",
        "--lexical",
        "please",
        "--datasets",
        str(tmp_path / "sets"),
    ]
    where = ["--clone", str(tmp_path / "clone"), "--out", str(tmp_path / "best")]
    done = CliRunner().invoke(constant, [*given, *where, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told, made = json.loads(done.stdout), load_checkpoint(tmp_path / "best")
    assert told["id"] == made.id
    assert told["metrics"]["r2"] > 0.99
    assert made.constant is not None
    np.testing.assert_allclose(made.constant.numpy(), [2**0.5, 0], atol=0.01)
    assert made.info.data["rows"] == 24
