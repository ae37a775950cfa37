"""Explorations of other packages: in agents' files, in their ids, on the planner's sphere."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from agents.steering.exploration import make_exploration
from agents.steering.steering_spec import ExploreSpec
from simworld.testing import example_observations
from tests.factories.extensions import EXPLORATIONS, FLIP_EXPLORATION, Installation

ENTRY = {EXPLORATIONS: {"flip": "barter:flipped"}}
PLANNED = torch.tensor([2.0, 0.0, 0.0, 0.0])


def spec(**given: Any) -> ExploreSpec:
    return ExploreSpec.model_validate({"kind": "flip", **given})


def test_it_tries_what_it_says_and_is_put_onto_the_sphere(installation: Installation) -> None:
    installation.add(
        ENTRY, code=FLIP_EXPLORATION.replace("-task.planned if", "-3 * task.planned if")
    )
    observations = example_observations()
    always = make_exploration(spec(settings={"share": 1.0}))
    for observation in observations:
        assert torch.equal(always.explore_action(observation, PLANNED, 4, "sphere"), -PLANNED)
    half = make_exploration(spec())
    tried = [half.explore_action(o, PLANNED, 4, "sphere") for o in observations]
    assert {float(action[0]) for action in tried} == {2.0, -2.0}
    again = [half.explore_action(o, PLANNED, 4, "sphere") for o in observations]
    assert all(torch.equal(a, b) for a, b in zip(tried, again, strict=True))


def test_it_is_written_with_its_identity_and_ours_as_before(installation: Installation) -> None:
    installation.add(ENTRY, code=FLIP_EXPLORATION)
    written = spec().model_dump(mode="json")
    assert written["settings"] == {"share": 0.5}
    assert written["extension"].startswith("barter 0.1.0 ")
    assert ExploreSpec.model_validate(written) == spec()
    assert ExploreSpec(kind="random").model_dump(mode="json") == {
        "kind": "random",
        "sigma": None,
        "per": "turn",
    }


def test_what_it_does_wrong_is_told(installation: Installation) -> None:
    with pytest.raises(ValidationError, match="expected random, noise or ways, found the text"):
        spec()
    installation.add(ENTRY, code=FLIP_EXPLORATION.replace("else task.planned", "else [1.0]"))
    with pytest.raises(ValidationError, match="flip take no sigma; remove it"):
        spec(sigma=0.3)
    never = make_exploration(spec(settings={"share": 0.0}))
    with pytest.raises(ValueError, match="exploration 'flip' gave no action of 4 finite numbers"):
        never.explore_action(example_observations()[0], PLANNED, 4, "sphere")
