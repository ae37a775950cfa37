"""A planner's mean action as a constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from simworld.cli.train.constant import constant
from simworld.core.errors import InputError
from simworld.training.rl.mean_action import mean_action_checkpoint
from simworld.training.rl.train_planner import train_planner
from tests.simworld.training.rl.test_train_planner import DATA, SETTINGS, start


def test_it_is_the_direction_of_the_mean_on_the_sphere() -> None:
    planner = train_planner(DATA, start(actor=True), SETTINGS)
    fixed = mean_action_checkpoint(planner, DATA.transitions, data={"rows": 3})
    states = torch.from_numpy(DATA.transitions.states[DATA.transitions.state_rows])
    actions = planner.choose_actions(states).numpy()
    mean = actions.mean(0)
    assert fixed.constant is not None
    expected = mean / np.linalg.norm(mean) * actions.shape[1] ** 0.5
    np.testing.assert_allclose(fixed.constant.numpy(), expected, rtol=1e-5)
    assert (fixed.actor, fixed.info.constant, fixed.info.parent) == (None, True, planner.id)
    assert fixed.info.data == {"rows": 3}
    assert fixed.choose_actions(states[:2]).tolist() == [fixed.constant.tolist()] * 2


def test_what_has_no_mean_is_refused() -> None:
    planner = train_planner(DATA, start(actor=True), SETTINGS)
    fixed = mean_action_checkpoint(planner, DATA.transitions)
    with pytest.raises(InputError, match="has no actor, so no mean action"):
        mean_action_checkpoint(fixed, DATA.transitions)
    wider = replace(DATA.transitions, states=np.pad(DATA.transitions.states, ((0, 0), (0, 1))))
    with pytest.raises(InputError, match="these states have 4 numbers, planner takes 3"):
        mean_action_checkpoint(planner, wider)


@pytest.mark.parametrize("options", [(), ("--clone", "a", "--mean-of", "b")])
def test_the_command_wants_one_of_both(options: tuple[str, ...]) -> None:
    done = CliRunner().invoke(constant, [*options, "--out", "c"])
    assert isinstance(done.exception, InputError)
    assert "give either --clone, for the best constant, or --mean-of" in str(done.exception)
