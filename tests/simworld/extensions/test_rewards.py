"""Rewards of other packages: in datasets, with their identity in what datasets are known by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simworld.core.errors import InputError
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import META_FILE, load_meta, load_transitions
from simworld.training.data.dataset_query import DataQuery, RewardSettings
from store import Store
from tests.factories.extensions import REWARDS, SHORT_LINES_REWARD, Installation
from tests.factories.steered_runs import new_store, play, scenario, step

ENTRY = {REWARDS: {"short": "barter:short"}}
LAMP = scenario("lamp")
# the seller speaks in turns 0, 2 and 4
FIVE = ("Hello.", "Hi.", "40 euros please.", "No.", "Then 30 euros?")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as opened:
        yield opened


def reward(**given: Any) -> dict[str, Any]:
    return {"measure": "short", "centre": False, **given}


def test_a_dataset_has_what_an_extension_measures(
    installation: Installation, store: Store, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=SHORT_LINES_REWARD)
    play(store, LAMP, FIVE, plans={0: step(1), 2: step(2), 4: step(3)})
    query = DataQuery.model_validate({"reward": reward(settings={"words": 4})})
    folder = build_dataset(store, query, tmp_path / "sets")
    # 6, 16 and 14 characters, modulo 4; each a third of the score
    assert np.allclose(load_transitions(folder).rewards, [2 / 3, 0, 2 / 3])
    meta = json.loads((folder / META_FILE).read_text())
    assert meta["query"]["reward"]["settings"] == {"words": 4}
    assert meta["query"]["reward"]["extension"].startswith("barter 0.1.0 ")


def test_a_dataset_is_read_also_where_the_extension_is_gone(
    installation: Installation, store: Store, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=SHORT_LINES_REWARD)
    play(store, LAMP, FIVE, plans={0: step(1), 2: step(2), 4: step(3)})
    query = DataQuery.model_validate({"reward": reward()})
    folder = build_dataset(store, query, tmp_path / "sets")
    key = query.dataset_key("x")
    installation.remove()
    meta = load_meta(folder)
    assert (meta.query.reward.measure, meta.query.reward.settings) == ("short", {"words": 5})
    assert meta.query.dataset_key("x") == key
    with pytest.raises(ValidationError, match="found the text 'short'"):
        DataQuery.model_validate({"reward": reward()})


def test_other_code_makes_another_dataset(installation: Installation) -> None:
    keys = []
    for code in (SHORT_LINES_REWARD, SHORT_LINES_REWARD + "\n    # changed\n"):
        installation.forget_code()
        installation.add(ENTRY, code=code)
        keys.append(DataQuery.model_validate({"reward": reward()}).dataset_key("x"))
    assert keys[0] != keys[1]


def test_rewards_that_name_no_extension_are_written_as_before() -> None:
    written = RewardSettings(measure="lexical", pattern="a").model_dump(mode="json")
    assert not {"settings", "extension"} & written.keys()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("lambda turns: 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("lambda turns: [1.0]", "expected 3 finite numbers, one of each act, found an array of"),
        ("lambda turns: [float('nan')] * 3", "shape \\(3,\\) with NaN or infinity"),
        ("lambda turns: ['a', 'b', 'c']", "failed: ValueError: could not convert string to float"),
        ("None", "failed: TypeError: 'NoneType' object is not callable"),
    ],
)
def test_a_reward_that_breaks_is_one_line(
    body: str, message: str, installation: Installation, store: Store, tmp_path: Path
) -> None:
    lines = SHORT_LINES_REWARD.splitlines()
    code = "\n".join(f"        return {body}" if "lambda" in line else line for line in lines)
    installation.add(ENTRY, code=code)
    play(store, LAMP, FIVE, plans={0: step(1), 2: step(2), 4: step(3)})
    query = DataQuery.model_validate({"reward": reward()})
    with pytest.raises(InputError, match=message) as raised:
        build_dataset(store, query, tmp_path / "sets")
    assert str(raised.value).startswith("reward 'short' of barter 0.1.0")


def test_settings_have_their_place() -> None:
    with pytest.raises(ValidationError, match="'lexical' is no extension"):
        RewardSettings.model_validate({"measure": "lexical", "pattern": "a", "settings": {}})
