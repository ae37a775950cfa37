"""The agents that play one way each."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agents import find_specs
from agents.steering.checkpoint import load_checkpoint
from bench import single_ways

DATA = Path(__file__).parents[2] / "docs/experiments/data/when-to-say-what/thank-or-propose"


def test_each_way_of_the_data_is_a_constant_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = np.eye(33, dtype=np.float32)[:3]
    tried = SimpleNamespace(actions=ways[[0, 1, 2, 1, 0]])
    monkeypatch.setattr(single_ways, "load_transitions", lambda folder: tried)
    planner = Path(str(resources.files("agents"))) / "library/planners/thank-or-propose"
    constant = DATA / "planners/constant"
    arms = single_ways.write_arms(tmp_path, tmp_path, constant, planner)
    assert list(arms) == ["base", "constant", "planner", "way-1", "way-2", "way-3"]
    folders = [tmp_path / f"way-{number}" for number in (1, 2, 3)]
    played = [load_checkpoint(folder).constant for folder in folders]
    assert {tuple(action.tolist()) for action in played if action is not None} == {
        tuple(way.tolist()) for way in ways
    }
    found = find_specs(list(arms.values()))
    assert [each.spec.name for each in found] == ["smol-script", *list(arms)[1:]]


def test_what_ways_were_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rewards are parts of a seat's: times its acts. The second seat begins with a way that the
    first one ended with, which does not follow itself.
    """
    ways = np.eye(2, dtype=np.float32)
    tried = SimpleNamespace(
        actions=ways[[0, 0, 1, 1, 0]],
        episode_index=np.array([0, 0, 0, 1, 1]),
        rewards=np.array([1, 2, 3, 1, 2], dtype=np.float32),
    )
    monkeypatch.setattr(single_ways, "load_transitions", lambda folder: tried)
    single_ways.print_values(tmp_path)
    # 3, 6 and 4; 9 and 2, none after itself
    told = {line[5:] for line in capsys.readouterr().out.splitlines()}
    assert any("+4.333 ± 0.720 (n 3), after itself +6.000 ± 0.000 (n 1)" in line for line in told)
    assert any(line.endswith("+5.500 ± 2.475 (n 2)") for line in told)


def test_data_without_ways_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(0).normal(size=(300, 33)).astype(np.float32)
    drawn = SimpleNamespace(actions=draws)
    monkeypatch.setattr(single_ways, "load_transitions", lambda folder: drawn)
    with pytest.raises(SystemExit, match="did not try ways"):
        single_ways.write_arms(tmp_path, tmp_path, tmp_path, tmp_path)


def test_the_stored_arms_of_the_experiment_can_be_played() -> None:
    files = [
        str(file) for file in sorted(DATA.parent.rglob("*.yaml")) if "prompt.yaml" not in file.name
    ]
    assert len(find_specs(files)) == 13
