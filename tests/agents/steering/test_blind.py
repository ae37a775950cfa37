"""A blind agent draws what was chosen for other dialogues at the same turn."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agents.agent_spec import load_spec
from agents.steering.blind import draw_blind_action
from agents.steering.checkpoint import Checkpoint, save_checkpoint
from agents.steering.planner import project_action
from simworld.core.seeding import derive_seed, make_rng
from simworld.testing import check_agent
from tests.agents.steering.test_steered_agent import (
    LAST,
    LEFT,
    drive,
    encoded,
    make,
    steering,
    step_of,
)
from tests.factories.exploring import exploring

Make = Callable[..., Checkpoint]
# two of the first turn, two of a later one
PAIRS = torch.tensor([[1.0, 1, 1], [0.5, 2, 2], [1.0, 3, 3], [0.5, 4, 4]])


def drawn(turns_left: float, seed: int) -> float:
    action = draw_blind_action(PAIRS, replace(LAST, seed=seed), torch.tensor([9.0, turns_left]))
    assert action.shape == (2,)
    return float(action[0])


def test_of_the_nearest_turn_one_is_drawn_by_the_turns_seed() -> None:
    for turns_left, numbers in ((1.0, [1, 3]), (0.8, [1, 3]), (0.6, [2, 4]), (0.0, [2, 4])):
        for seed in range(8):
            pick = int(make_rng(derive_seed(seed, "blind")).integers(2))
            assert drawn(turns_left, seed) == numbers[pick]
    assert {drawn(1.0, seed) for seed in range(8)} == {1, 3}


def test_a_blind_agent_stores_the_state_that_it_does_not_read(make_checkpoint: Make) -> None:
    checkpoint = replace(
        make_checkpoint("blind"), blind=torch.tensor([[0.2, 1, -1], [0.9, 1, 1], [0.8, 1, 1]])
    )
    agent = make(steering(checkpoint))
    for state in ((1, 2, 3), (4, 5, 6)):
        step = step_of(drive(agent, [encoded(*state), "Fine."])[1])
        assert step.state.tolist() == [*state, LEFT]
        assert step.action is not None
        assert step.action.tolist() == [1, -1]
        assert not step.noisy
    check_agent(make(steering(make_checkpoint("blind", width=8, d_state=9))))


def test_noise_is_added_to_it(make_checkpoint: Make) -> None:
    checkpoint = make_checkpoint("blind")
    plain, noisy = (
        step_of(drive(make(steering(checkpoint, exploration=how)), [encoded(1, 2, 3), "Fine."])[1])
        for how in (None, exploring(sigma=0.3))
    )
    assert plain.action is not None
    noise = 0.3 * make_rng(derive_seed(LAST.seed, "explore")).standard_normal(2)
    expected = project_action(torch.from_numpy(plain.action + noise.astype(np.float32)), "sphere")
    assert noisy.action is not None
    np.testing.assert_allclose(noisy.action, expected.numpy(), atol=1e-6)


def test_a_file_may_name_it(tmp_path: Path, make_checkpoint: Make) -> None:
    save_checkpoint(tmp_path / "blind", make_checkpoint("blind"))
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nmodel: builtin:smollm2-135m-instruct\nsteering: {planner: blind}\n"
    )
    planner = load_spec(file).planner
    assert planner is not None
    assert planner.info.has_policy
